namespace Mmu86.Hypervisor.Shadow;

/// <summary>What shadow paging did so far. Page-fault exits are <see cref="HiddenPageFaults"/>, <see cref="WriteProtectFaults"/> and <see cref="InjectedPageFaults"/>: each is one of them.</summary>
public sealed record ShadowCounts
{
    /// <summary>Exits: writes of CR0.PG, CR0.WP, CR3 and what of CR4 decides about translation.</summary>
    public ulong ControlRegisterWrites { get; set; }

    /// <summary>Exits: reads of CR3.</summary>
    public ulong ControlRegisterReads { get; set; }

    /// <summary>Exits: writes of IA32_EFER and IA32_PAT.</summary>
    public ulong MsrWrites { get; set; }

    /// <summary>Exits: INVLPG and INVPCID.</summary>
    public ulong Invalidations { get; set; }

    /// <summary>Exits: page faults of which the guest learns nothing, for a shadow entry was missing or less permissive.</summary>
    public ulong HiddenPageFaults { get; set; }

    /// <summary>Exits: page faults for the first write to a guest table since it was last in step.</summary>
    public ulong WriteProtectFaults { get; set; }

    /// <summary>Exits: page faults that are the guest's own.</summary>
    public ulong InjectedPageFaults { get; set; }

    /// <summary>Exits behind single instructions that wrote to a read-only page under CR0.WP=0.</summary>
    public ulong SingleSteps { get; set; }

    /// <summary>Shadow entries made that map a page.</summary>
    public ulong Fills { get; set; }

    /// <summary>Shadow entries compared with the guest's.</summary>
    public ulong EntriesCompared { get; set; }

    /// <summary>Those that were found out of step and dropped, with all below them.</summary>
    public ulong EntriesDropped { get; set; }

    /// <summary>Guest roots whose tables were dropped to make room.</summary>
    public ulong SpacesDropped { get; set; }

    /// <summary>All exits.</summary>
    public ulong Exits => ControlRegisterWrites + ControlRegisterReads + MsrWrites + Invalidations + HiddenPageFaults + WriteProtectFaults + InjectedPageFaults + SingleSteps;
}
