namespace Mmu86.Hypervisor.Scheduling;

/// <summary>A machine that is to run on a host.</summary>
public sealed record ScheduledMachineOptions
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Makes it when its time has come, on <see cref="Store"/>. It may throw what a loader throws.</summary>
    public required Func<IScheduledGuest> Create { get; init; }

    /// <summary>Virtual nanoseconds of the host at which it starts; at the next barrier.</summary>
    public required ulong StartNanoseconds { get; init; }

    /// <summary>Its part of the host's memory beside others'. Not 0.</summary>
    public required ulong Shares { get; init; }

    /// <summary>Resident frames below which nothing is taken from it.</summary>
    public required ulong LeastFrames { get; init; }

    /// <summary>Resident frames that it may have.</summary>
    public required ulong MostFrames { get; init; }

    /// <summary>Where its swapped pages go; null where it is never swapped.</summary>
    public required ITimedPageStore? Store { get; init; }

    /// <summary>Estimates how much of its memory it uses; null where nobody asks.</summary>
    public required IWorkingSetEstimate? Sampler { get; init; }

    /// <summary>Which of its frames gives way. Its memory's <see cref="GuestMemoryOptions.Residency"/>.</summary>
    public required VictimChooser Chooser { get; init; }
}
