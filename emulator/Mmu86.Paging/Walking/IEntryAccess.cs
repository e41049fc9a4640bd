namespace Mmu86.Paging;

/// <summary>How the walker reaches the entries of a table.</summary>
internal interface IEntryAccess
{
    /// <summary>Whether table addresses are guest-physical and go through EPT.</summary>
    static abstract bool IsNested { get; }

    /// <summary>Whether it is noted if every table lies in a page that lets paging write: guest-paging verification.</summary>
    static abstract bool IsVerified { get; }
}

/// <summary>Table addresses are host-physical: native paging, and EPT itself.</summary>
internal readonly struct HostTables : IEntryAccess
{
    /// <inheritdoc/>
    public static bool IsNested => false;

    /// <inheritdoc/>
    public static bool IsVerified => false;
}

/// <summary>Table addresses are guest-physical: the guest's tables under EPT.</summary>
internal readonly struct GuestTables : IEntryAccess
{
    /// <inheritdoc/>
    public static bool IsNested => true;

    /// <inheritdoc/>
    public static bool IsVerified => false;
}

/// <summary>The same with guest-paging verification. SDM 3, "EPT Violations".</summary>
internal readonly struct VerifiedTables : IEntryAccess
{
    /// <inheritdoc/>
    public static bool IsNested => true;

    /// <inheritdoc/>
    public static bool IsVerified => true;
}
