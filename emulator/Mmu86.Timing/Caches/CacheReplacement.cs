namespace Mmu86.Timing;

/// <summary>Which line of a full set gives way.</summary>
public enum CacheReplacement
{
    /// <summary>The one that was not used for the longest time.</summary>
    Lru,

    /// <summary>Tree pseudo-LRU; ways must be a power of two, at most 64.</summary>
    TreePlru,
}
