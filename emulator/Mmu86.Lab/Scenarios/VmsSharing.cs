using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Sharing;

namespace Mmu86.Lab.Scenarios;

/// <summary>What page sharing did in a scenario, for all machines together. Counts are pages of 4 KiB.</summary>
public sealed record VmsSharing
{
    /// <summary>Pages looked at in a virtual second at most.</summary>
    public required ulong PagesPerSecond { get; init; }

    /// <summary>Pages looked at.</summary>
    public required ulong Scanned { get; init; }

    /// <summary>Pages compared byte for byte.</summary>
    public required ulong Compared { get; init; }

    /// <summary>Those among them that were not equal.</summary>
    public required ulong Unequal { get; init; }

    /// <summary>Frames given up for an equal one.</summary>
    public required ulong Merged { get; init; }

    /// <summary>Shared pages that were written to.</summary>
    public required ulong Broken { get; init; }

    /// <summary>Those among them that had to be copied; the last sharer has its frame back without.</summary>
    public required ulong Copied { get; init; }

    /// <summary>Entries that led to shared frames and went to swap, because nothing else could.</summary>
    public required ulong Swapped { get; init; }

    /// <summary>The most frames that were saved at once: entries that led to shared frames, less those frames.</summary>
    public required ulong MostFramesSaved { get; init; }

    internal static VmsSharing Of(PageSharingOptions options, PageSharing sharing, HostFrameAllocator frames, IReadOnlyList<VmsMachineReport> machines) => new()
    {
        PagesPerSecond = options.PagesPerSecond,
        Scanned = sharing.Counts.Scanned,
        Compared = sharing.Counts.Compared,
        Unequal = sharing.Counts.Unequal,
        Merged = sharing.Counts.Merged,
        Broken = machines.Aggregate(0UL, (sum, machine) => sum + machine.SharingBroken),
        Copied = machines.Aggregate(0UL, (sum, machine) => sum + machine.SharedCopied),
        Swapped = machines.Aggregate(0UL, (sum, machine) => sum + machine.SharedSwapped),
        MostFramesSaved = frames.MostFramesSaved,
    };
}
