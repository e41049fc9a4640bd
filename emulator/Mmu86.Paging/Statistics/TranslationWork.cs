namespace Mmu86.Paging;

/// <summary>What translation did beyond first-level hits, as far as the fidelity <c>tlb</c> prices it. Exact at any moment, filter or not.</summary>
/// <param name="SecondLevelHits">Lookups that the second level answered.</param>
/// <param name="Walks">Walks, those that ended in a fault included; none that a prefetcher asked for.</param>
/// <param name="References">Entries that they read.</param>
public readonly record struct TranslationWork(ulong SecondLevelHits, ulong Walks, ulong References)
{
    /// <summary>The cycles of walks. docs/model/timing.md.</summary>
    public ulong WalkCycles(TranslationLatencies latencies) =>
        (Walks * (ulong)latencies.WalkStartCycles) + (References * (ulong)latencies.WalkReferenceCycles);

    /// <summary>The cycles of all of it: what a run takes beyond one cycle an instruction.</summary>
    public ulong Cycles(TranslationLatencies latencies) => (SecondLevelHits * (ulong)latencies.L2HitCycles) + WalkCycles(latencies);
}
