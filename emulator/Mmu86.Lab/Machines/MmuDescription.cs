using Mmu86.Paging;

namespace Mmu86.Lab.Machines;

/// <summary>The translation hardware as a machine file describes it.</summary>
/// <remarks>The widths and the support of 1 GiB pages are in <see cref="CpuidDescription"/>, once; the seed is the run's.</remarks>
public sealed record MmuDescription
{
    /// <summary>First level for fetches.</summary>
    public required TlbLevelConfiguration L1Instruction { get; init; }

    /// <summary>First level for loads and stores.</summary>
    public required TlbLevelConfiguration L1Data { get; init; }

    /// <summary>Second level: for both, or for data alone.</summary>
    public required TlbLevelConfiguration L2 { get; init; }

    /// <summary>Second level of fetches, where they have one of their own.</summary>
    public TlbLevelConfiguration? L2Instruction { get; init; }

    /// <summary>What is prefetched into the second level.</summary>
    public PrefetchConfiguration? Prefetch { get; init; }

    /// <summary>The caches of partial walks.</summary>
    public required StructureCachesConfiguration StructureCaches { get; init; }

    /// <summary>The second dimension of paging: its format, and what it can do.</summary>
    public required NestedPagingConfiguration Nested { get; init; }

    /// <summary>What misses cost in the <c>tlb</c> fidelity, in cycles.</summary>
    public required TranslationLatencies Latencies { get; init; }

    /// <summary>Whether every access is looked up in the model, at a cost in host time only: counts do not depend on it.</summary>
    public required bool LookUpEveryAccess { get; init; }
}
