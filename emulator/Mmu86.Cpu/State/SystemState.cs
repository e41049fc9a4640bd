using Mmu86.Memory;
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

    internal void Save(StateWriter writer)
    {
        writer.Write(Selector);
        writer.Write(Base);
        writer.Write(Limit);
        writer.Write(Attributes);
    }

    internal static SegmentRegister Load(StateReader reader, string field) =>
        new(reader.ReadUInt16(field), reader.ReadUInt64(field), reader.ReadUInt32(field), reader.ReadUInt16(field));
}

/// <summary>GDTR or IDTR.</summary>
public readonly record struct DescriptorTableRegister(ulong Base, ushort Limit)
{
    internal void Save(StateWriter writer)
    {
        writer.Write(Base);
        writer.Write(Limit);
    }

    internal static DescriptorTableRegister Load(StateReader reader, string field) => new(reader.ReadUInt64(field), reader.ReadUInt16(field));
}

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

    /// <summary>Writes every register.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<ulong>([
            (ulong)Cr0, Cr2, Cr3, (ulong)Cr4, (ulong)Efer, Pdptes.First, Pdptes.Second, Pdptes.Third, Pdptes.Fourth,
            KernelGsBase, Star, Lstar, Cstar, SyscallMask, SysenterCs, SysenterEsp, SysenterEip, TscAux, TscOffset, Pat, ApicBase, MiscEnable, Dr6, Dr7]);
        writer.WriteArray<ulong>(BreakpointAddresses);
        writer.Write(Pkru);
        writer.Write(Pkrs);
        writer.Write(TaskPriority);
        writer.Write(Cpl);
        foreach (SegmentRegister register in (ReadOnlySpan<SegmentRegister>)[Cs, Ss, Ds, Es, Fs, Gs, Ldtr, Tr])
            register.Save(writer);
        Gdtr.Save(writer);
        Idtr.Save(writer);
        MemoryTypeRanges.Save(writer);
    }

    /// <summary>Reads them back.</summary>
    public void Load(StateReader reader)
    {
        Span<ulong> words = stackalloc ulong[24];
        reader.ReadArray("registers", words);
        Cr0 = (Cr0)words[0];
        Cr2 = words[1];
        Cr3 = words[2];
        Cr4 = (Cr4)words[3];
        Efer = (Efer)words[4];
        Pdptes = new PdpteRegisters(words[5], words[6], words[7], words[8]);
        KernelGsBase = words[9];
        Star = words[10];
        Lstar = words[11];
        Cstar = words[12];
        SyscallMask = words[13];
        SysenterCs = words[14];
        SysenterEsp = words[15];
        SysenterEip = words[16];
        TscAux = words[17];
        TscOffset = words[18];
        Pat = words[19];
        ApicBase = words[20];
        MiscEnable = words[21];
        Dr6 = words[22];
        Dr7 = words[23];
        reader.ReadArray<ulong>("breakpointAddresses", BreakpointAddresses);
        Pkru = reader.ReadUInt32("pkru");
        Pkrs = reader.ReadUInt32("pkrs");
        TaskPriority = reader.ReadByte("taskPriority");
        Cpl = reader.ReadInt32("cpl", 0, 3);
        Cs = SegmentRegister.Load(reader, "cs");
        Ss = SegmentRegister.Load(reader, "ss");
        Ds = SegmentRegister.Load(reader, "ds");
        Es = SegmentRegister.Load(reader, "es");
        Fs = SegmentRegister.Load(reader, "fs");
        Gs = SegmentRegister.Load(reader, "gs");
        Ldtr = SegmentRegister.Load(reader, "ldtr");
        Tr = SegmentRegister.Load(reader, "tr");
        Gdtr = DescriptorTableRegister.Load(reader, "gdtr");
        Idtr = DescriptorTableRegister.Load(reader, "idtr");
        MemoryTypeRanges.Load(reader);
    }
}
