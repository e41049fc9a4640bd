namespace Mmu86.Bench.Reclaim;

/// <summary>What the thread of a host may be at.</summary>
internal enum HostWork
{
    /// <summary>The hypervisor, what is below not counted: scheduling, evicting, tables, scrubbing.</summary>
    Hypervisor,

    /// <summary>Guest code, with the walks and VM exits that it causes.</summary>
    Guest,

    /// <summary>Choosing victims, the accessed flags that are looked at and cleared for it included.</summary>
    Choosing,

    /// <summary>Hearing of frames that become resident or leave.</summary>
    Books,

    /// <summary>Looking at accessed flags as time passes, and clearing them.</summary>
    Scanning,

    /// <summary>Estimating working sets from the flags of a few pages.</summary>
    Sampling,

    /// <summary>The page store.</summary>
    Swap,
}
