namespace Mmu86.Paging;

/// <summary>Which call of <see cref="IMmu"/> an <see cref="StreamOperation.Invalidation"/> was.</summary>
public enum StreamInvalidation
{
    /// <summary><see cref="IMmu.InvalidatePage(X86.LinearAddress)"/>.</summary>
    Page = 0,

    /// <summary><see cref="IMmu.InvalidatePage(X86.LinearAddress, ushort)"/>.</summary>
    PageOfPcid = 1,

    /// <summary><see cref="IMmu.InvalidatePcid"/>.</summary>
    Pcid = 2,

    /// <summary><see cref="IMmu.InvalidateAllNonGlobal"/>.</summary>
    AllNonGlobal = 3,

    /// <summary><see cref="IMmu.InvalidateAll"/>.</summary>
    All = 4,

    /// <summary><see cref="IMmu.InvalidateAfterPageFault"/>.</summary>
    AfterPageFault = 5,

    /// <summary><see cref="IMmu.InvalidateEptContext"/>.</summary>
    EptContext = 6,

    /// <summary><see cref="IMmu.InvalidateEptAll"/>.</summary>
    EptAll = 7,

    /// <summary><see cref="IMmu.InvalidateVpid"/>.</summary>
    Vpid = 8,
}
