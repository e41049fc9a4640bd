namespace Mmu86.Paging;

/// <summary>Where in the memory hierarchy a reference found its line.</summary>
public enum MemoryLevel : byte
{
    /// <summary>The first-level data cache.</summary>
    L1Data,

    /// <summary>The second level.</summary>
    L2,

    /// <summary>The third level.</summary>
    L3,

    /// <summary>No cache: memory itself.</summary>
    Memory,
}
