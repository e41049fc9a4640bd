namespace Mmu86.Lab.Reports;

/// <summary>What the page-table walker did. A reference is one read of one paging entry that no structure cache answered.</summary>
public sealed record WalkCounts
{
    /// <summary>Walks that ended in a translation.</summary>
    public required long Count { get; init; }

    /// <summary>References of those walks: guest and EPT.</summary>
    public required long References { get; init; }

    /// <summary>References to entries of the guest's tables.</summary>
    public required long GuestReferences { get; init; }

    /// <summary>References to EPT entries.</summary>
    public required long EptReferences { get; init; }

    /// <summary>Cycles that walks cost. Null where cycles are not modelled.</summary>
    public long? Cycles { get; init; }

    /// <summary>Where the references found their entries: <c>l1d</c>, <c>l2</c>, <c>l3</c>, <c>memory</c>. Null where caches are not modelled.</summary>
    public IReadOnlyDictionary<string, long>? ReferenceHits { get; init; }

    /// <summary>Walks that ended in a fault or a VM exit.</summary>
    public required long Faulted { get; init; }

    /// <summary>References of those.</summary>
    public required long FaultedReferences { get; init; }

    /// <summary>Writes of accessed and dirty flags; never references.</summary>
    public required long AdUpdates { get; init; }

    /// <summary>Why they were made.</summary>
    public required WalkReasonCounts ByReason { get; init; }

    /// <summary>The caches of partial walks.</summary>
    public required StructureCacheCounts StructureCaches { get; init; }

    /// <summary>What was counted between two moments of one machine.</summary>
    public WalkCounts Since(WalkCounts earlier) => new()
    {
        Count = Count - earlier.Count,
        References = References - earlier.References,
        GuestReferences = GuestReferences - earlier.GuestReferences,
        EptReferences = EptReferences - earlier.EptReferences,
        Cycles = Cycles - earlier.Cycles,
        ReferenceHits = ReferenceHits is { } hits && earlier.ReferenceHits is { } before
            ? new OrderedDictionary<string, long>(hits.Select(pair => KeyValuePair.Create(pair.Key, pair.Value - before[pair.Key])))
            : ReferenceHits,
        Faulted = Faulted - earlier.Faulted,
        FaultedReferences = FaultedReferences - earlier.FaultedReferences,
        AdUpdates = AdUpdates - earlier.AdUpdates,
        ByReason = ByReason.Since(earlier.ByReason),
        StructureCaches = StructureCaches.Since(earlier.StructureCaches),
    };
}
