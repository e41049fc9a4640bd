using Mmu86.Hypervisor.Sharing;
using Mmu86.Hypervisor.Swap;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>How machines share a host.</summary>
public sealed record HostSchedulerOptions
{
    /// <summary>A tenth of a virtual millisecond between barriers.</summary>
    public const ulong DefaultQuantumNanoseconds = 100_000;

    /// <summary>Virtual nanoseconds from one barrier to the next.</summary>
    public required ulong QuantumNanoseconds { get; init; }

    /// <summary>Threads that machines run on, at least 1. No result depends on it.</summary>
    public required int Threads { get; init; }

    /// <summary>Where the stores of the machines are; null where no machine has one, or its store needs nothing at barriers.</summary>
    public HostSwap? Swap { get; init; }

    /// <summary>From whom frames are taken.</summary>
    public required ReclaimOrder Order { get; init; }

    /// <summary>Whether guests with a balloon are asked for memory before it is taken from them.</summary>
    public bool UsesBalloons { get; init; }

    /// <summary>How much of an idle page is taken from it when shares are weighed, in percent, 0 to 99: 75 makes an idle page cost four times what a used one does.</summary>
    public required int IdleTaxPercent { get; init; }

    /// <summary>How pages of equal content are found and shared; null where they are not.</summary>
    public PageSharingOptions? Sharing { get; init; }
}

/// <summary>From whom frames are taken first.</summary>
public enum ReclaimOrder
{
    /// <summary>Who has most.</summary>
    Largest,

    /// <summary>Who has most for each of its shares, idle pages counting for more: min-funding revocation.</summary>
    Shares,
}
