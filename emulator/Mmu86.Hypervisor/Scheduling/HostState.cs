namespace Mmu86.Hypervisor.Scheduling;

/// <summary>How short of memory a host is, by the part of its frames that is free, as ESX names it (docs/hypervisor/README.md).</summary>
public enum HostState
{
    /// <summary>4 percent or more are free.</summary>
    High,

    /// <summary>At least 2 percent. Frames are reclaimed until 6 are free.</summary>
    Soft,

    /// <summary>At least 1 percent.</summary>
    Hard,

    /// <summary>Less.</summary>
    Low,
}
