using Mmu86.Hypervisor.Shadow;

namespace Mmu86.Lab.Reports;

/// <summary>What shadow tables took.</summary>
public sealed record ShadowPagingCounts
{
    // Estimates, docs/model/timing.md: an exit and the entry behind it; walking a guest's tables by program and making an entry; comparing an entry.
    private const ulong ExitCycles = 1200;
    private const ulong FillCycles = 1000;
    private const ulong CompareCycles = 1;

    /// <summary>VM exits.</summary>
    public required ShadowExitCounts Exits { get; init; }

    /// <summary>All exits together.</summary>
    public required long ExitCount { get; init; }

    /// <summary>Shadow entries made that map a page.</summary>
    public required long Fills { get; init; }

    /// <summary>Shadow entries compared with the guest's, when the guest made its translations forgotten.</summary>
    public required long EntriesCompared { get; init; }

    /// <summary>Those that differed and were dropped.</summary>
    public required long EntriesDropped { get; init; }

    /// <summary>Roots of the guest whose shadow tables were dropped to make room.</summary>
    public required long RootsDropped { get; init; }

    /// <summary>Frames that shadow tables take at this moment.</summary>
    public required long ShadowTableFrames { get; init; }

    /// <summary>Modelled cycles of exits and of the hypervisor's work: part of the run's cycles. Null where none are modelled.</summary>
    public long? Cycles { get; init; }

    /// <summary>The modelled cycles of what was done.</summary>
    public static ulong CyclesOf(ShadowCounts counts) =>
        (counts.Exits * ExitCycles) + (counts.Fills * FillCycles) + (counts.EntriesCompared * CompareCycles);

    /// <summary>What was counted between two moments; of frames what there is at the later one.</summary>
    public ShadowPagingCounts Since(ShadowPagingCounts earlier) => new()
    {
        Exits = Exits.Since(earlier.Exits),
        ExitCount = ExitCount - earlier.ExitCount,
        Fills = Fills - earlier.Fills,
        EntriesCompared = EntriesCompared - earlier.EntriesCompared,
        EntriesDropped = EntriesDropped - earlier.EntriesDropped,
        RootsDropped = RootsDropped - earlier.RootsDropped,
        ShadowTableFrames = ShadowTableFrames,
        Cycles = Cycles - earlier.Cycles,
    };
}
