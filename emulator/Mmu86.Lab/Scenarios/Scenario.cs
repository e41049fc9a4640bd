using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Sharing;

namespace Mmu86.Lab.Scenarios;

/// <summary>A scenario after all that was asked for on the command line: what runs on what.</summary>
public sealed record Scenario
{
    /// <summary>What it is called.</summary>
    public required string Name { get; init; }

    /// <summary>RAM of the host in bytes.</summary>
    public required ulong HostMemoryBytes { get; init; }

    /// <summary>From whom frames are taken.</summary>
    public required ReclaimOrder Order { get; init; }

    /// <summary>Whether guests with a balloon are asked for memory before it is taken from them.</summary>
    public required bool UsesBalloons { get; init; }

    /// <summary>The tax on idle memory, in percent; 0 for none.</summary>
    public required int IdleTaxPercent { get; init; }

    /// <summary>Virtual nanoseconds for which pages are watched to estimate what machines use; null where nobody estimates it.</summary>
    public required ulong? SamplePeriodNanoseconds { get; init; }

    /// <summary>Which frame of a machine gives way.</summary>
    public required PageReplacement Replacement { get; init; }

    /// <summary>Where pages go that have no frame; null where they go nowhere.</summary>
    public required ScenarioSwap? Swap { get; init; }

    /// <summary>How pages of equal content are found and shared; null where they are not.</summary>
    public required PageSharingOptions? Sharing { get; init; }

    /// <summary>The machines, in the order in which they are served.</summary>
    public required IReadOnlyList<ScenarioMachine> Machines { get; init; }

    /// <summary>Machines that move to another host.</summary>
    public IReadOnlyList<ScenarioMigration> Migrations { get; init; } = [];

    /// <summary>Virtual nanoseconds after which machines that run are ended; null for no limit.</summary>
    public required ulong? LimitNanoseconds { get; init; }

    /// <summary>The seed of everything.</summary>
    public required ulong Seed { get; init; }
}

/// <summary>A machine of a scenario.</summary>
public sealed record ScenarioMachine
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it runs.</summary>
    public required RunOptions Options { get; init; }

    /// <summary>Its part beside others'.</summary>
    public required ulong Shares { get; init; }

    /// <summary>Resident frames below which nothing is taken from it.</summary>
    public required ulong LeastFrames { get; init; }

    /// <summary>Resident frames that it may have.</summary>
    public required ulong MostFrames { get; init; }

    /// <summary>When it starts, in virtual nanoseconds.</summary>
    public required ulong StartNanoseconds { get; init; }
}
