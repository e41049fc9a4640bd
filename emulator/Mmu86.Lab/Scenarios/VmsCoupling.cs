using Mmu86.Hypervisor.Scheduling;
using Mmu86.Paging;

namespace Mmu86.Lab.Scenarios;

/// <summary>What reclaim cost a machine's translations (docs/hypervisor/coupling.md).</summary>
public sealed record VmsCoupling
{
    /// <summary>Quanta with an invalidation at the barrier before them, or within.</summary>
    public required VmsSpan Disturbed { get; init; }

    /// <summary>The others.</summary>
    public required VmsSpan Calm { get; init; }

    /// <summary>Cycles of translation that each invalidation cost: what disturbed quanta have beyond the rate of calm ones. Null where one of them is missing.</summary>
    public long? CyclesPerInvalidation { get; init; }

    internal static VmsCoupling Of(ReclaimCoupling coupling, TranslationLatencies latencies, ulong invalidations)
    {
        VmsSpan disturbed = VmsSpan.Of(coupling.Disturbed, latencies);
        VmsSpan calm = VmsSpan.Of(coupling.Calm, latencies);
        long? each = null;
        if (invalidations > 0 && calm.Instructions > 0 && disturbed.Instructions > 0)
        {
            var expected = (long)((UInt128)calm.Cycles * disturbed.Instructions / calm.Instructions);
            each = ((long)disturbed.Cycles - expected) / (long)invalidations;
        }

        return new VmsCoupling { Disturbed = disturbed, Calm = calm, CyclesPerInvalidation = each };
    }
}

/// <summary>What was translated in some quanta together.</summary>
public sealed record VmsSpan
{
    /// <summary>How many.</summary>
    public required ulong Quanta { get; init; }

    /// <summary>Instructions retired in them.</summary>
    public required ulong Instructions { get; init; }

    /// <summary>Lookups that the first level did not answer.</summary>
    public required ulong TlbMisses { get; init; }

    /// <summary>Walks, those that ended in a fault included.</summary>
    public required ulong Walks { get; init; }

    /// <summary>Entries that they read.</summary>
    public required ulong WalkReferences { get; init; }

    /// <summary>Cycles of all of it, by the machine's latencies.</summary>
    public required ulong Cycles { get; init; }

    internal static VmsSpan Of(in TranslationSpan span, TranslationLatencies latencies) => new()
    {
        Quanta = span.Quanta,
        Instructions = span.Instructions,
        TlbMisses = span.Work.SecondLevelHits + span.Work.Walks,
        Walks = span.Work.Walks,
        WalkReferences = span.Work.References,
        Cycles = span.Work.Cycles(latencies),
    };
}
