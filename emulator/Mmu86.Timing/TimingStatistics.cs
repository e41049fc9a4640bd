using Mmu86.Paging;

namespace Mmu86.Timing;

/// <summary>What the model of the fidelity <c>cycles</c> counted up to one moment.</summary>
public sealed record TimingStatistics
{
    /// <summary>The cycle in which everything that began so far is done.</summary>
    public required ulong Cycles { get; init; }

    /// <summary>Cycles of all walks, those that ended in a fault included, each as if it were alone.</summary>
    public required ulong WalkCycles { get; init; }

    /// <summary>References of walks that ended in a translation, by the <see cref="MemoryLevel"/> that answered.</summary>
    public required IReadOnlyList<ulong> ReferenceHits { get; init; }

    /// <summary>The caches that the machine has.</summary>
    public required IReadOnlyList<CacheStatistics> Caches { get; init; }
}
