using System.Runtime.InteropServices;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.HostCpu;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>Puts the CPU of a <see cref="RandomBytesMachine"/> into a mode of 16 or 32 bits, with tables of that mode and sometimes with paging.</summary>
internal sealed class NarrowStates(HostMemory memory, Vcpu vcpu, CaseRandom random)
{
    // Of the tables that 64-bit mode has in the same place.
    private const ulong Tables = 0x30000;
    private const ulong Interrupts = 0x31000;
    private const ulong TaskStates = 0x32000;
    private const ulong PageTables = 0x48000;

    private const ushort Code0 = 0x08;
    private const ushort Data0 = 0x10;
    private const ushort Data3 = 0x18 | 3;
    private const ushort Code3 = 0x20 | 3;
    private const ushort Task = 0x28;
    private const ushort OtherTask = 0x30;
    private const ushort Gate = 0x38;
    private const ushort NarrowCode = 0x40;
    private const ushort NarrowData = 0x48;
    private const ushort TaskGate = 0x50;

    /// <summary>Enters a mode.</summary>
    /// <param name="start">One that is not of 64 bits.</param>
    /// <param name="code">Where random code begins, a multiple of 16.</param>
    /// <param name="codeBytes">How much of it there is.</param>
    /// <param name="data">Where random data begins, a multiple of 16.</param>
    public void Enter(RandomStart start, ulong code, int codeBytes, ulong data)
    {
        if (start == RandomStart.Real)
        {
            for (ulong vector = 0; vector < 256; vector++)
                memory.Write(new HostPhysicalAddress(4 * vector), (uint)random.Below(codeBytes) | ((uint)code << 12));
            StartState.Real(vcpu, (ushort)(code >> 4), (ushort)random.Below(codeBytes));
            SetSegments(RealSegment(data));
            return;
        }

        WriteTables(code, codeBytes, data);
        StartState.FlatProtected(vcpu, Code0, Data0, (uint)code + (uint)random.Below(codeBytes));
        SystemState system = vcpu.System;
        system.Gdtr = new DescriptorTableRegister(Tables, 0x57);
        system.Idtr = new DescriptorTableRegister(Interrupts, 0x7FF);
        system.Tr = new SegmentRegister(Task, TaskStates, 0x67, 0x008B);
        switch (start)
        {
            case RandomStart.Protected3:
                system.Cpl = 3;
                system.Cs = new SegmentRegister(Code3, 0, uint.MaxValue, 0xC0FB);
                SetSegments(new SegmentRegister(Data3, 0, uint.MaxValue, 0xC0F3));
                break;
            case RandomStart.Narrow0:
                system.Cs = new SegmentRegister(NarrowCode, code, (uint)codeBytes - 1, 0x009B);
                SetSegments(new SegmentRegister(NarrowData, data, 0x1FFF, 0x0093));
                vcpu.Registers.Rip = (ulong)random.Below(codeBytes);
                break;
            case RandomStart.Virtual8086:
                system.Cpl = 3;
                system.Cs = RealSegment(code) with { Attributes = 0x00F3 };
                SetSegments(RealSegment(data) with { Attributes = 0x00F3 });
                vcpu.Registers.Rip = (ulong)random.Below(codeBytes);
                vcpu.Registers.Flags = RFlags.Reserved1 | RFlags.Virtual8086 | (random.Percent(50) ? RFlags.IoPrivilege : 0);
                break;
            case RandomStart.Protected0:
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(start), start, "Not a mode of 16 or 32 bits.");
        }

        TurnPagingOn(mayStayOff: start is RandomStart.Narrow0 or RandomStart.Virtual8086);
        vcpu.ContextChanged();
    }

    private static SegmentRegister RealSegment(ulong address) => new((ushort)(address >> 4), address, 0xFFFF, 0x0093);

    private void SetSegments(SegmentRegister segment)
    {
        SystemState system = vcpu.System;
        system.Ss = segment;
        system.Ds = segment;
        system.Es = segment;
        system.Fs = segment;
        system.Gs = segment;
        vcpu.Registers.FsBase = segment.Base;
        vcpu.Registers.GsBase = segment.Base;
        vcpu.ModeChanged();
    }

    // Descriptors of every kind, gates of every kind, and two tasks to switch between.
    private void WriteTables(ulong code, int codeBytes, ulong data)
    {
        ulong handler = code + (ulong)random.Below(codeBytes);
        Span<ulong> descriptors =
        [
            0,
            0x00CF_9B00_0000_FFFF,
            0x00CF_9300_0000_FFFF,
            0x00CF_F300_0000_FFFF,
            0x00CF_FB00_0000_FFFF,
            0x0000_8B00_0000_0067 | (TaskStates << 16),
            0x0000_8900_0000_0067 | ((TaskStates + 0x800) << 16),
            Offset(handler) | ((ulong)Code0 << 16) | (random.Percent(50) ? 0xEC00UL << 32 : 0xE400UL << 32) | ((ulong)random.Below(4) << 32),
            0x0000_9B00_0000_0000 | (code << 16) | ((uint)codeBytes - 1),
            0x0000_9300_0000_1FFF | (data << 16),
            ((ulong)OtherTask << 16) | (0xE500UL << 32),
        ];
        memory.Write(new HostPhysicalAddress(Tables), MemoryMarshal.AsBytes(descriptors));
        for (ulong vector = 0; vector < 256; vector++)
        {
            ulong type = random.Below(20) switch { 0 => random.Next() & 0xFF00, 1 => 0xE500, 2 => 0xE600, 3 => 0xEF00, _ => 0xEE00 };
            ulong target = type == 0xE500 ? (ulong)OtherTask << 16 : Offset(code + (ulong)random.Below(codeBytes)) | ((ulong)Code0 << 16);
            memory.Write(new HostPhysicalAddress(Interrupts + (8 * vector)), target | (type << 32));
        }

        WriteTask(TaskStates, code, codeBytes, data);
        WriteTask(TaskStates + 0x800, code, codeBytes, data);
    }

    private static ulong Offset(ulong address) => (address & 0xFFFF) | ((address >> 16) << 48);

    // A 32-bit TSS. SDM 3, "Task-State Segment (TSS)".
    private void WriteTask(ulong at, ulong code, int codeBytes, ulong data)
    {
        void Write(int offset, ulong value) => memory.Write(new HostPhysicalAddress(at + (ulong)offset), (uint)value);

        Write(4, data + 0x1800);
        Write(8, Data0);
        Write(28, random.Percent(80) ? PageTables : random.Next());
        Write(32, code + (ulong)random.Below(codeBytes));
        Write(36, (ulong)RFlags.Reserved1);
        for (int register = 40; register < 72; register += 4)
            Write(register, data + (ulong)random.Below(0x1800));
        foreach (int selector in (ReadOnlySpan<int>)[72, 80, 84, 88, 92])
            Write(selector, random.Percent(90) ? Data0 : random.Next() & 0x7F);
        Write(76, random.Percent(90) ? Code0 : random.Next() & 0x7F);
        Write(100, 0x68UL << 16);
    }

    // One to one, by 4 MiB or by 2 MiB pages, or not at all: but flat segments need something that ends a string instruction of 4 GiB.
    private void TurnPagingOn(bool mayStayOff)
    {
        SystemState system = vcpu.System;
        const ulong Large = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User | PagingEntry.PageSizeBit;
        switch (mayStayOff ? random.Below(3) : 1 + random.Below(2))
        {
            case 0:
                return;
            case 1:
                memory.Write(new HostPhysicalAddress(PageTables), (uint)Large);
                system.Cr4 |= Cr4.PageSizeExtensions;
                break;
            default:
                memory.Write(new HostPhysicalAddress(PageTables), (PageTables + 0x1000) | PagingEntry.Present);
                memory.Write(new HostPhysicalAddress(PageTables + 0x1000), Large);
                system.Cr4 |= Cr4.PhysicalAddressExtension;
                system.Pdptes = new PdpteRegisters((PageTables + 0x1000) | PagingEntry.Present, 0, 0, 0);
                break;
        }

        system.Cr3 = PageTables;
        system.Cr0 |= Cr0.Paging;
    }
}
