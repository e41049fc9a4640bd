namespace Mmu86.Hypervisor.Scheduling;

/// <summary>The page store of one machine, whose operations take virtual time.</summary>
public interface ITimedPageStore : IPageStore
{
    /// <summary>Virtual nanoseconds of the host at which the next operation is asked for.</summary>
    ulong Now { get; set; }

    /// <summary>Virtual nanoseconds at which every page loaded so far is there; 0 before the first. Storing is nothing that a machine waits for.</summary>
    ulong ReadyAt { get; }
}
