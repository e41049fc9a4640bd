namespace Mmu86.X86;

/// <summary>EXITINFO1 of a nested page fault. APM 2, "Nested versus Guest Page Faults, Fault Ordering".</summary>
[Flags]
public enum NestedPageFaultErrorCode : ulong
{
    None = 0,
    Present = 1UL << 0,
    Write = 1UL << 1,

    /// <summary>Set for every access of a guest: all are user-mode accesses to the nested tables.</summary>
    User = 1UL << 2,
    Reserved = 1UL << 3,
    InstructionFetch = 1UL << 4,

    /// <summary>The fault is on the translation of the linear address itself.</summary>
    FinalAddress = 1UL << 32,

    /// <summary>The fault is on a guest table.</summary>
    GuestTable = 1UL << 33,
}
