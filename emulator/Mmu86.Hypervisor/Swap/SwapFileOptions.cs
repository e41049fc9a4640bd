namespace Mmu86.Hypervisor.Swap;

/// <summary>Which swap file is made.</summary>
public sealed record SwapFileOptions
{
    /// <summary>Its path. Nothing may be there but a swap file that a process left behind.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes for slots, at least one slot; a rest smaller than a slot is not used. The file has one page more, which says what it is.</summary>
    public required ulong SizeInBytes { get; init; }

    /// <summary>When it takes its room.</summary>
    public required SwapFileAllocation Allocation { get; init; }

    /// <summary>Writes that may wait for the thread that writes, at least 1.</summary>
    public required int QueuedWrites { get; init; }
}
