using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Scenarios;

/// <summary>What a scenario did (<c>mmu86.vms/1</c>). Times are virtual nanoseconds, sizes bytes.</summary>
public sealed record VmsReport
{
    /// <summary>The name and version of the format.</summary>
    public string Schema { get; init; } = "mmu86.vms/1";

    /// <summary>Of Mmu86.</summary>
    public required string Version { get; init; }

    /// <summary>The scenario's name.</summary>
    public required string Scenario { get; init; }

    /// <summary>The seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>The machine description that every machine has.</summary>
    public required string Machine { get; init; }

    /// <summary>RAM of the host.</summary>
    public required ulong HostMemory { get; init; }

    /// <summary>What all machines were promised together.</summary>
    public required ulong Promised { get; init; }

    /// <summary>When the last machine ended.</summary>
    public required ulong Time { get; init; }

    /// <summary>The most frames of the host that were in use at once.</summary>
    public required ulong PeakFramesUsed { get; init; }

    /// <summary>What the swap device did. Null where there is none.</summary>
    public VmsSwap? Swap { get; init; }

    /// <summary>What page sharing did; null where there is none.</summary>
    public VmsSharing? Sharing { get; init; }

    /// <summary>The host at moments that are equally far apart.</summary>
    public required IReadOnlyList<VmsMoment> Timeline { get; init; }

    /// <summary>The machines.</summary>
    public required IReadOnlyList<VmsMachineReport> Machines { get; init; }

    /// <summary>The migrations. Null where there are none.</summary>
    public IReadOnlyList<VmsMigration>? Migrations { get; init; }

    /// <summary>Frames that somebody owns after every machine was destroyed: 0.</summary>
    public required ulong FramesOwnedAtEnd { get; init; }

    /// <summary>What it cost the computer; varies from run to run.</summary>
    public required HostReport Host { get; init; }
}

/// <summary>The host at one moment.</summary>
public sealed record VmsMoment
{
    /// <summary>Virtual nanoseconds.</summary>
    public required ulong Time { get; init; }

    /// <summary>Frames that nobody has.</summary>
    public required ulong Free { get; init; }

    /// <summary>Frames that page sharing saves. Null where nothing is shared.</summary>
    public ulong? Saved { get; init; }

    /// <summary><c>high</c>, <c>soft</c>, <c>hard</c> or <c>low</c>.</summary>
    public required string State { get; init; }

    /// <summary>The machines, in the order of the report.</summary>
    public required IReadOnlyList<VmsMachineMoment> Machines { get; init; }
}

/// <summary>A machine at one moment.</summary>
public sealed record VmsMachineMoment
{
    /// <summary>Frames of its memory that have one of the host for themselves.</summary>
    public required ulong Resident { get; init; }

    /// <summary>Frames of its memory that are swapped.</summary>
    public required ulong Swapped { get; init; }

    /// <summary>Frames of its memory that it has together with others. Null where nothing shares.</summary>
    public ulong? Shared { get; init; }

    /// <summary>Frames of its memory that its balloon holds. Null where it never held one.</summary>
    public ulong? Ballooned { get; init; }

    /// <summary>Frames that it uses, as estimated from samples. Null where nobody estimates them.</summary>
    public ulong? Active { get; init; }

    /// <summary>Instructions retired so far.</summary>
    public required ulong Instructions { get; init; }

    /// <summary>Virtual nanoseconds for which it waited for swap so far.</summary>
    public required ulong SwapWait { get; init; }

    /// <summary>Whether it waited for swap for more than half of the time since the moment before: it thrashes.</summary>
    public required bool Thrashing { get; init; }

    /// <summary>Bytes of pages that came from swap so far.</summary>
    public required ulong SwapInBytes { get; init; }

    /// <summary>Bytes of pages given to swap so far, as in the machine's report.</summary>
    public required ulong SwapOutBytes { get; init; }

    /// <summary>Pages that it was given so far because they were touched, fresh ones and those from swap.</summary>
    public required ulong Faults { get; init; }
}

/// <summary>What a machine had at its end, or at most.</summary>
public sealed record VmsFrames
{
    /// <summary>Frames of its memory that had one of the host for themselves.</summary>
    public required ulong ResidentFrames { get; init; }

    /// <summary>Frames that it had together with others.</summary>
    public required ulong SharedFrames { get; init; }

    /// <summary>Frames that its balloon held.</summary>
    public required ulong BalloonedFrames { get; init; }

    /// <summary>Frames that were swapped.</summary>
    public required ulong SwappedFrames { get; init; }
}

/// <summary>What a machine did.</summary>
public sealed record VmsMachineReport
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it ran.</summary>
    public required ProgramReport Program { get; init; }

    /// <summary>What it was promised, in bytes.</summary>
    public required ulong Memory { get; init; }

    /// <summary>How it ended.</summary>
    public required ExitReport? Exit { get; init; }

    /// <summary>The hash of all that it printed, in lower-case hex.</summary>
    public required string OutputSha256 { get; init; }

    /// <summary>Requests to its disk whose bytes our computer could not read or keep, which the guest saw as errors. Null where there were none.</summary>
    public ulong? DiskFailures { get; init; }

    /// <summary>Why the last of them failed, as the end of a sentence. Null where there were none, or it is not known any more.</summary>
    public string? LastDiskFailure { get; init; }

    /// <summary>What it wrote to the debug console, whose bytes are no part of its output: the first of it. Null where that is nothing.</summary>
    public string? DebugConsole { get; init; }

    /// <summary>Instructions retired.</summary>
    public required long Instructions { get; init; }

    /// <summary>Modelled cycles. Null where not modelled.</summary>
    public long? Cycles { get; init; }

    /// <summary>Frames at its end.</summary>
    public required ulong ResidentFrames { get; init; }

    /// <summary>As there.</summary>
    public required ulong SharedFrames { get; init; }

    /// <summary>As there.</summary>
    public required ulong BalloonedFrames { get; init; }

    /// <summary>As there.</summary>
    public required ulong SwappedFrames { get; init; }

    /// <summary>The most of each at a barrier.</summary>
    public required VmsFrames Peak { get; init; }

    /// <summary>Bytes read from swap.</summary>
    public required ulong SwapInBytes { get; init; }

    /// <summary>Bytes of pages given to swap, pages of zeros and compressed ones included.</summary>
    public required ulong SwapOutBytes { get; init; }

    /// <summary>Pages that were evicted without that, because their copy in swap was still good.</summary>
    public required ulong CleanEvictions { get; init; }

    /// <summary>Virtual nanoseconds for which it waited for swap.</summary>
    public required ulong SwapWait { get; init; }

    /// <summary>When it ended.</summary>
    public required ulong EndedAt { get; init; }

    /// <summary>Shared pages that it wrote to.</summary>
    public required ulong SharingBroken { get; init; }

    /// <summary>Those among them that had to be copied.</summary>
    public required ulong SharedCopied { get; init; }

    /// <summary>Shared pages of it that went to swap, because nothing else could.</summary>
    public required ulong SharedSwapped { get; init; }

    /// <summary>How often its translations were invalidated because memory was taken or watched.</summary>
    public required ulong Invalidations { get; init; }

    /// <summary>Large pages made and taken apart.</summary>
    public required ulong LargePagesJoined { get; init; }

    /// <summary>As there.</summary>
    public required ulong LargePagesSplit { get; init; }

    /// <summary>What reclaim cost its translations. Null where translations are not modelled, or it never started.</summary>
    public VmsCoupling? Coupling { get; init; }

    /// <summary>Faults and VM exits. Null where it never started.</summary>
    public FaultCounts? Faults { get; init; }

    /// <summary>Walks. Null where not modelled.</summary>
    public WalkCounts? Walks { get; init; }
}
