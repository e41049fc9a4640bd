namespace Mmu86.Lab.Reports;

/// <summary>VM exits of shadow paging by reason. Each exit is in one of these.</summary>
public sealed record ShadowExitCounts
{
    /// <summary>Writes of CR3, and those of CR0 and CR4 that change how addresses are translated.</summary>
    public required long CrWrites { get; init; }

    /// <summary>Reads of CR3, which holds the hypervisor's root.</summary>
    public required long CrReads { get; init; }

    /// <summary>Writes of IA32_EFER and IA32_PAT.</summary>
    public required long MsrWrites { get; init; }

    /// <summary>INVLPG and INVPCID.</summary>
    public required long Invlpg { get; init; }

    /// <summary>Page faults of which the guest learned nothing: a shadow entry was missing, or lacked a right.</summary>
    public required long HiddenPageFaults { get; init; }

    /// <summary>Page faults that were the guest's own.</summary>
    public required long InjectedPageFaults { get; init; }

    /// <summary>Page faults for a write to a guest table that was in step.</summary>
    public required long WriteProtectFaults { get; init; }

    /// <summary>Ends of single steps, with CR0.WP=0.</summary>
    public required long SingleSteps { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public ShadowExitCounts Since(ShadowExitCounts earlier) => new()
    {
        CrWrites = CrWrites - earlier.CrWrites,
        CrReads = CrReads - earlier.CrReads,
        MsrWrites = MsrWrites - earlier.MsrWrites,
        Invlpg = Invlpg - earlier.Invlpg,
        HiddenPageFaults = HiddenPageFaults - earlier.HiddenPageFaults,
        InjectedPageFaults = InjectedPageFaults - earlier.InjectedPageFaults,
        WriteProtectFaults = WriteProtectFaults - earlier.WriteProtectFaults,
        SingleSteps = SingleSteps - earlier.SingleSteps,
    };
}
