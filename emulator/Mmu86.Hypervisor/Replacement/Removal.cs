namespace Mmu86.Hypervisor.Replacement;

/// <summary>Why a frame is no longer resident.</summary>
public enum Removal
{
    /// <summary>Its content went to swap to make room. Policies with ghost entries remember it.</summary>
    Evicted,

    /// <summary>It has no content any more, or another owner: ballooned, shared, reported free, its machine destroyed. Nothing remembers it.</summary>
    Discarded,
}
