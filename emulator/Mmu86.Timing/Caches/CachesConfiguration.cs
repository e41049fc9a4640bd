namespace Mmu86.Timing;

/// <summary>What the fidelity <c>cycles</c> models beyond translation: caches, memory, and what may overlap. docs/model/timing.md.</summary>
public sealed record CachesConfiguration
{
    /// <summary>First level for fetches.</summary>
    public required CacheConfiguration L1Instruction { get; init; }

    /// <summary>First level for loads and stores.</summary>
    public required CacheConfiguration L1Data { get; init; }

    /// <summary>Second level, for all. Null where there is none.</summary>
    public CacheConfiguration? L2 { get; init; }

    /// <summary>Third level, for all. Null where there is none.</summary>
    public CacheConfiguration? L3 { get; init; }

    /// <summary>Load to use of a load that no cache answers.</summary>
    public required int MemoryLatencyCycles { get; init; }

    /// <summary>How many loads and stores may be under way at once where none needs the other's value; 1 lets none overlap. 1 to 64.</summary>
    public required int OverlappingAccesses { get; init; }

    /// <summary>Walks that may be under way at once: the number of page-table walkers, 1 to 16.</summary>
    public required int Walkers { get; init; }

    /// <summary>Where walks enter the caches.</summary>
    public required WalkEntryPoint WalksEnterAt { get; init; }
}
