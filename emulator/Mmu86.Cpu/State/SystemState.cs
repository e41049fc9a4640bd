using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>A segment register: the selector and the descriptor cached with it. SDM 3, "Segment Registers".</summary>
/// <param name="Selector">The visible part.</param>
/// <param name="Base">Base address; FS and GS keep theirs in <see cref="RegisterFile"/>.</param>
/// <param name="Limit">Limit in bytes, granularity applied.</param>
/// <param name="Attributes">Bits 55:40 of the descriptor: type, S, DPL, P (7:0), AVL, L, D/B, G (15:12).</param>
public readonly record struct SegmentRegister(ushort Selector, ulong Base, uint Limit, ushort Attributes)
{
    /// <summary>Descriptor privilege level.</summary>
    public int Dpl => (Attributes >> 5) & 3;

    /// <summary>64-bit code segment.</summary>
    public bool Long => (Attributes & (1 << 13)) != 0;

    /// <summary>D/B: 32-bit operands and addresses of code, ESP of a stack, 4 GiB of an expand-down segment.</summary>
    public bool Big => (Attributes & (1 << 14)) != 0;

    /// <summary>Holds a code or data descriptor: not the null selector.</summary>
    public bool Usable => (Attributes & 0x90) == 0x90;
}

/// <summary>GDTR or IDTR.</summary>
public readonly record struct DescriptorTableRegister(ulong Base, ushort Limit);

/// <summary>The registers of system programming. Plain storage: who changes one tells the MMU and the decoder.</summary>
public sealed class SystemState
{
    public Cr0 Cr0 { get; set; }

    public ulong Cr2 { get; set; }

    public ulong Cr3 { get; set; }

    public Cr4 Cr4 { get; set; }

    /// <summary>The PDPTE registers of PAE paging.</summary>
    public PdpteRegisters Pdptes { get; set; }

    /// <summary>Rights by protection key at user-mode addresses. RDPKRU, WRPKRU.</summary>
    public uint Pkru { get; set; }

    /// <summary>IA32_PKRS: rights by protection key at supervisor-mode addresses.</summary>
    public uint Pkrs { get; set; }

    /// <summary>Task priority; also CR8.</summary>
    public byte TaskPriority { get; set; }

    public Efer Efer { get; set; }

    /// <summary>Current privilege level.</summary>
    public int Cpl { get; set; }

    public SegmentRegister Cs { get; set; }

    public SegmentRegister Ss { get; set; }

    public SegmentRegister Ds { get; set; }

    public SegmentRegister Es { get; set; }

    /// <summary>FS without its base, which is in the register file.</summary>
    public SegmentRegister Fs { get; set; }

    /// <summary>GS without its base, which is in the register file.</summary>
    public SegmentRegister Gs { get; set; }

    public SegmentRegister Ldtr { get; set; }

    public SegmentRegister Tr { get; set; }

    public DescriptorTableRegister Gdtr { get; set; }

    public DescriptorTableRegister Idtr { get; set; } = new(0, 0);

    public ulong KernelGsBase { get; set; }

    public ulong Star { get; set; }

    public ulong Lstar { get; set; }

    public ulong Cstar { get; set; }

    public ulong SyscallMask { get; set; }

    public ulong SysenterCs { get; set; }

    public ulong SysenterEsp { get; set; }

    public ulong SysenterEip { get; set; }

    public ulong TscAux { get; set; }

    /// <summary>Added to the virtual clock to give the time-stamp counter.</summary>
    public ulong TscOffset { get; set; }

    /// <summary>Page attribute table; the reset value of the manual.</summary>
    public ulong Pat { get; set; } = 0x0007_0406_0007_0406;

    public ulong ApicBase { get; set; } = 0xFEE0_0900;

    public ulong MiscEnable { get; set; } = 1;

    /// <summary>The MTRRs.</summary>
    public MemoryTypeRanges MemoryTypeRanges { get; } = new();

    /// <summary>DR0 to DR3.</summary>
    public ulong[] BreakpointAddresses { get; } = new ulong[4];

    public ulong Dr6 { get; set; } = 0xFFFF_0FF0;

    public ulong Dr7 { get; set; } = 0x400;
}
