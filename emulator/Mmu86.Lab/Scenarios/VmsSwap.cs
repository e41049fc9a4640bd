using Mmu86.Hypervisor.Swap;

namespace Mmu86.Lab.Scenarios;

/// <summary>What the swap device of a scenario did, for all machines together.</summary>
public sealed record VmsSwap
{
    /// <summary>Whose times it has.</summary>
    public required string Device { get; init; }

    /// <summary>Bytes for pages.</summary>
    public required ulong Size { get; init; }

    /// <summary>Writes that the device did, of one page or several.</summary>
    public required ulong Writes { get; init; }

    /// <summary>Bytes of those.</summary>
    public required ulong BytesWritten { get; init; }

    /// <summary>Reads that the device did.</summary>
    public required ulong Reads { get; init; }

    /// <summary>Bytes of those.</summary>
    public required ulong BytesRead { get; init; }

    /// <summary>Pages stored that were zeros: no bytes.</summary>
    public required ulong ZeroPages { get; init; }

    /// <summary>Pages stored that went to the compressed pool.</summary>
    public required ulong PagesCompressed { get; init; }

    /// <summary>Pages loaded from there.</summary>
    public required ulong PoolHits { get; init; }

    /// <summary>Pages read because a neighbour was asked for.</summary>
    public required ulong PagesReadAhead { get; init; }

    /// <summary>Those among them that were asked for later.</summary>
    public required ulong ReadAheadHits { get; init; }

    /// <summary>Reads and writes that failed.</summary>
    public required ulong Failures { get; init; }

    /// <summary>Writes among them. What they had to write stayed in memory and was written again.</summary>
    public required ulong WriteFailures { get; init; }

    /// <summary>Why the last of them failed, as the end of a sentence. Null where none did.</summary>
    public string? LastWriteFailure { get; init; }

    /// <summary>Pages that came back changed.</summary>
    public required ulong ChecksumMismatches { get; init; }

    internal static VmsSwap Of(ScenarioSwap swap, HostSwap host) => Of(swap, host.Counts, host.LastWriteFailure);

    private static VmsSwap Of(ScenarioSwap swap, SwapCounts counts, SwapStatus lastWriteFailure) => new()
    {
        Device = swap.Device.Name,
        Size = swap.SizeInBytes,
        Writes = counts.WriteOperations,
        BytesWritten = counts.BytesWritten,
        Reads = counts.ReadOperations,
        BytesRead = counts.BytesRead,
        ZeroPages = counts.ZeroPagesOut,
        PagesCompressed = counts.PagesCompressed,
        PoolHits = counts.PoolHits,
        PagesReadAhead = counts.PagesReadAhead,
        ReadAheadHits = counts.ReadAheadHits,
        Failures = counts.ReadFailures + counts.WriteFailures,
        WriteFailures = counts.WriteFailures,
        LastWriteFailure = lastWriteFailure switch
        {
            SwapStatus.Done => null,
            SwapStatus.DeviceFull => "its disk, or what this process may write, has no room left",
            SwapStatus.ShortWrite => "the device took a part only",
            _ => "the device could not write",
        },
        ChecksumMismatches = counts.ChecksumMismatches,
    };
}
