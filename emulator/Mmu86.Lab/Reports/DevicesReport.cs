namespace Mmu86.Lab.Reports;

/// <summary>What devices of a bare-metal guest know at its end.</summary>
public sealed record DevicesReport
{
    /// <summary>The last POST code, as <c>0x..</c>.</summary>
    public string? LastPostCode { get; init; }

    /// <summary>Requests to the disk whose bytes our computer could not read or keep, which the guest saw as errors. Null where there were none.</summary>
    public ulong? DiskFailures { get; init; }

    /// <summary>Why the last of them failed, as the end of a sentence. Null where there were none, or it is not known any more.</summary>
    public string? LastDiskFailure { get; init; }
}
