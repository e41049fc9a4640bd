namespace Mmu86.Tests.Hypervisor.Shadow;

/// <summary>The processor that a random kernel is made for.</summary>
internal enum PagingVariant
{
    /// <summary>4-level paging, without protection keys.</summary>
    FourLevels,

    /// <summary>4-level paging, with protection keys for users and supervisors.</summary>
    FourLevelsWithKeys,

    /// <summary>5-level paging, with protection keys. CR4.LA57 is set from outside, and CR3 to <see cref="PagingProgram.FiveLevelRoot"/>.</summary>
    FiveLevelsWithKeys,

    /// <summary>4-level paging with CR4.PGE=1: all roots map the same, so that any page may be global.</summary>
    FourLevelsWithGlobals,

    /// <summary>4-level paging with AMD's INVLPGB.</summary>
    FourLevelsWithBroadcast,
}
