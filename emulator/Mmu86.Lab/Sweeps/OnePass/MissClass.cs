namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>Why an array missed; <see cref="MissClassCounts"/> says it in full.</summary>
public enum MissClass
{
    /// <summary>The page was never referenced before.</summary>
    Compulsory,

    /// <summary>A fully associative LRU array of as many entries misses too.</summary>
    Capacity,

    /// <summary>It does not.</summary>
    Conflict,

    /// <summary>It does, because its entry was invalidated.</summary>
    Invalidation,
}
