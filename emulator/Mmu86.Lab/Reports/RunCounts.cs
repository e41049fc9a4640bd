namespace Mmu86.Lab.Reports;

/// <summary>Everything that was counted up to one moment of a run. The part between two markers is the difference of two of these.</summary>
public sealed record RunCounts
{
    /// <summary>Retired instructions; a REP string instruction is one.</summary>
    public required long Instructions { get; init; }

    /// <summary>Elements of REP string instructions.</summary>
    public required long RepIterations { get; init; }

    /// <summary>Modelled cycles. Null where not modelled.</summary>
    public long? Cycles { get; init; }

    /// <summary>Memory accesses.</summary>
    public required AccessCounts Accesses { get; init; }

    /// <summary>TLBs. Null where not modelled.</summary>
    public TlbCounts? Tlb { get; init; }

    /// <summary>Walks. Null where not modelled.</summary>
    public WalkCounts? Walks { get; init; }

    /// <summary>Caches of memory by name. Null where not modelled.</summary>
    public IReadOnlyDictionary<string, CacheCounts>? Caches { get; init; }

    /// <summary>Faults and VM exits.</summary>
    public required FaultCounts Faults { get; init; }

    /// <summary>Shadow paging. Null without it.</summary>
    public ShadowPagingCounts? Shadow { get; init; }

    /// <summary>What was counted between two moments of one run.</summary>
    public RunCounts Since(RunCounts earlier) => new()
    {
        Instructions = Instructions - earlier.Instructions,
        RepIterations = RepIterations - earlier.RepIterations,
        Cycles = Cycles - earlier.Cycles,
        Accesses = Accesses.Since(earlier.Accesses),
        Tlb = earlier.Tlb is null ? Tlb : Tlb?.Since(earlier.Tlb),
        Walks = earlier.Walks is null ? Walks : Walks?.Since(earlier.Walks),
        Caches = Caches is { } caches && earlier.Caches is { } before
            ? new OrderedDictionary<string, CacheCounts>(caches.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.Since(before[pair.Key]))))
            : Caches,
        Faults = Faults.Since(earlier.Faults),
        Shadow = earlier.Shadow is null ? Shadow : Shadow?.Since(earlier.Shadow),
    };
}
