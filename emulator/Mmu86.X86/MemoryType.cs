namespace Mmu86.X86;

/// <summary>Memory types as the PAT, the MTRRs, EPT entries and the EPT pointer encode them. SDM 3, "Memory Cache Control".</summary>
public enum MemoryType : byte
{
    Uncacheable = 0,
    WriteCombining = 1,
    WriteThrough = 4,
    WriteProtected = 5,
    WriteBack = 6,

    /// <summary>UC-: uncacheable unless an MTRR says write-combining. Only the PAT has it.</summary>
    UncacheableMinus = 7,
}
