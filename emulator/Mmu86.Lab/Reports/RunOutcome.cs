namespace Mmu86.Lab.Reports;

/// <summary>What a run leaves behind for its report.</summary>
public sealed record RunOutcome
{
    /// <summary>How it ended.</summary>
    public required ExitReport Exit { get; init; }

    /// <summary>The whole run.</summary>
    public required RunCounts Counts { get; init; }

    /// <summary>The part between the markers. Null without them.</summary>
    public RunCounts? Measured { get; init; }

    /// <summary>Frames. Null where nobody watches.</summary>
    public MemoryReport? Memory { get; init; }

    /// <summary>Requests of the guest that nobody answered. Null where there were none.</summary>
    public UnsupportedCounts? Unsupported { get; init; }

    /// <summary>What devices know. Null where they have nothing to say.</summary>
    public DevicesReport? Devices { get; init; }

    /// <summary>CPU time of the threads that ran the guest, from its first to its last instruction.</summary>
    public required TimeSpan CpuTime { get; init; }

    /// <summary>Elapsed time of the same.</summary>
    public required TimeSpan WallTime { get; init; }
}
