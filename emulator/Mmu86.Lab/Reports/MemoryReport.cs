namespace Mmu86.Lab.Reports;

/// <summary>Frames of 4 KiB at the end of the run.</summary>
public sealed record MemoryReport
{
    /// <summary>Frames of guest-physical memory that were ever touched. Null where nobody watches.</summary>
    public long? GuestFramesTouched { get; init; }

    /// <summary>Frames of the host that the guest owns, EPT tables included. Null where nobody watches.</summary>
    public long? HostFramesUsed { get; init; }
}
