namespace Mmu86.Paging;

/// <summary>For whom the tables are walked.</summary>
internal interface IWalkKind
{
    /// <summary>Whether the walk uses and fills structure caches, counts, and sets accessed and dirty flags.</summary>
    static abstract bool LeavesTrace { get; }

    /// <summary>Whether every step is recorded.</summary>
    static abstract bool Records { get; }

    /// <summary>Whether the address of every entry read is noted, for timing.</summary>
    static abstract bool Notes { get; }
}

/// <summary>The walk of an access.</summary>
internal readonly struct ArchitecturalWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool LeavesTrace => true;

    /// <inheritdoc/>
    public static bool Records => false;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>The walk of an access that somebody watches.</summary>
internal readonly struct ObservedWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool LeavesTrace => true;

    /// <inheritdoc/>
    public static bool Records => true;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>A walk that changes nothing: it reads memory only and records every step.</summary>
internal readonly struct InspectionWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool LeavesTrace => false;

    /// <inheritdoc/>
    public static bool Records => true;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>The walk of an access whose cost is modelled.</summary>
internal readonly struct TimedWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool LeavesTrace => true;

    /// <inheritdoc/>
    public static bool Records => false;

    /// <inheritdoc/>
    public static bool Notes => true;
}

/// <summary>The walk of an access whose cost is modelled and that somebody watches.</summary>
internal readonly struct ObservedTimedWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool LeavesTrace => true;

    /// <inheritdoc/>
    public static bool Records => true;

    /// <inheritdoc/>
    public static bool Notes => true;
}
