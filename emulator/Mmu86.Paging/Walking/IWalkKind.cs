namespace Mmu86.Paging;

/// <summary>For whom the tables are walked.</summary>
internal interface IWalkKind
{
    /// <summary>Whether it is the walk of an access: it asks and fills structure caches, and sets accessed and dirty flags. Else it reads tables alone.</summary>
    static abstract bool ActsAsAccess { get; }

    /// <summary>Whether what it writes is kept from memory, and read back by the walk itself alone.</summary>
    static abstract bool Withholds { get; }

    /// <summary>Whether every step is recorded.</summary>
    static abstract bool Records { get; }

    /// <summary>Whether the address of every entry read is noted, for timing.</summary>
    static abstract bool Notes { get; }
}

/// <summary>The walk of an access.</summary>
internal readonly struct ArchitecturalWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool ActsAsAccess => true;

    /// <inheritdoc/>
    public static bool Withholds => false;

    /// <inheritdoc/>
    public static bool Records => false;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>The walk of an access that somebody watches.</summary>
internal readonly struct ObservedWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool ActsAsAccess => true;

    /// <inheritdoc/>
    public static bool Withholds => false;

    /// <inheritdoc/>
    public static bool Records => true;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>The walk that an access would make: recorded, its writes withheld. What it did to structure caches is undone behind it.</summary>
internal readonly struct InspectionWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool ActsAsAccess => true;

    /// <inheritdoc/>
    public static bool Withholds => true;

    /// <inheritdoc/>
    public static bool Records => true;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>A walk of what is in memory: it asks no cache and changes nothing.</summary>
internal readonly struct TableWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool ActsAsAccess => false;

    /// <inheritdoc/>
    public static bool Withholds => false;

    /// <inheritdoc/>
    public static bool Records => false;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>The same, recorded.</summary>
internal readonly struct RecordedTableWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool ActsAsAccess => false;

    /// <inheritdoc/>
    public static bool Withholds => false;

    /// <inheritdoc/>
    public static bool Records => true;

    /// <inheritdoc/>
    public static bool Notes => false;
}

/// <summary>The walk of an access whose cost is modelled.</summary>
internal readonly struct TimedWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool ActsAsAccess => true;

    /// <inheritdoc/>
    public static bool Withholds => false;

    /// <inheritdoc/>
    public static bool Records => false;

    /// <inheritdoc/>
    public static bool Notes => true;
}

/// <summary>The walk of an access whose cost is modelled and that somebody watches.</summary>
internal readonly struct ObservedTimedWalk : IWalkKind
{
    /// <inheritdoc/>
    public static bool ActsAsAccess => true;

    /// <inheritdoc/>
    public static bool Withholds => false;

    /// <inheritdoc/>
    public static bool Records => true;

    /// <inheritdoc/>
    public static bool Notes => true;
}
