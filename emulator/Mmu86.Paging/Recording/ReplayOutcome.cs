namespace Mmu86.Paging;

/// <summary>How far a lookup gets in the levels of a TLB.</summary>
internal enum ReplayOutcome : byte
{
    /// <summary>The first level answers.</summary>
    FirstLevel,

    /// <summary>The first level has the page, without the dirty flag that a write needs.</summary>
    FirstLevelNotDirty,

    /// <summary>The first level has the page and denies the access.</summary>
    FirstLevelDenied,

    /// <summary>The second level answers.</summary>
    SecondLevel,

    /// <summary>The second level has the page, without the dirty flag that a write needs.</summary>
    SecondLevelNotDirty,

    /// <summary>The second level has the page and denies the access.</summary>
    SecondLevelDenied,

    /// <summary>Neither has the page.</summary>
    Miss,
}
