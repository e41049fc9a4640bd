using System.Runtime.InteropServices;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.HostCpu;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>A small machine for code that may do anything: everything mapped one to one, tables and descriptors within reach.</summary>
internal sealed class RandomBytesMachine : IDisposable
{
    /// <summary>Linear space that is mapped; its upper half is no RAM.</summary>
    private const ulong MappedBytes = 2 << 20;

    private const ulong MemoryBytes = 1 << 20;
    private const ulong CodeStart = 0x10000;
    private const int CodeBytes = 0x2000;
    private const ulong DataStart = 0x20000;
    private const int DataBytes = 0x2000;
    private const ulong DescriptorTable = 0x30000;
    private const ulong InterruptTable = 0x31000;
    private const ulong TaskState = 0x32000;
    private const ulong KernelStack = 0x38000;
    private const ulong TableFrames = 0x40;

    // Selectors: the order in which SYSCALL and SYSRET want them.
    private const ushort KernelCode = 0x08;
    private const ushort KernelData = 0x10;
    private const ushort UserData = 0x18 | 3;
    private const ushort UserCode = 0x20 | 3;
    private const ushort Task = 0x28;

    private readonly HostMemory _memory = new(MemoryBytes, BackingPages.Small);
    private readonly Mmu<Unobserved> _mmu;
    private readonly Vcpu _vcpu;
    private readonly CaseRandom _random;

    /// <summary>Makes a machine with a random program in it.</summary>
    /// <param name="random">Decides about code, data, registers and the shape of the TLBs.</param>
    /// <param name="start">In which mode it begins.</param>
    /// <param name="way">How the CPU goes about it; nothing that a guest or a report could see depends on it.</param>
    public RandomBytesMachine(CaseRandom random, RandomStart start, WayOfRunning way)
    {
        _random = random;
        MmuConfiguration shape = random.Percent(50) ? TestMmuConfigurations.Ideal() : TestMmuConfigurations.SmallSkylake();
        _mmu = new Mmu<Unobserved>(_memory, shape with { LookUpEveryAccess = way.LooksUpEveryAccess }, default);
        _vcpu = new Vcpu(
            new VcpuBus { Memory = _memory, Ports = new PortBus(), Mmio = new MmioBus() },
            _mmu,
            new VcpuConfiguration
            {
                InterceptSyscalls = random.Percent(50),
                InterceptExceptions = random.Percent(30),
                Cpuid = new EveryFeature(),
                Clock = new InstructionClock(),
                MaximumMicroOps = way.MaximumMicroOps,
            });
        bool isLong = start is RandomStart.Long0 or RandomStart.Long3;
        WriteMemory(isLong ? 64 : 32);
        SetSystemState(start == RandomStart.Long3 ? 3 : 0);
        SetRegisters();
        if (!isLong)
            EnterNarrow(start);
    }

    /// <summary>The CPU.</summary>
    public Vcpu Vcpu => _vcpu;

    /// <summary>What the CPU has counted so far.</summary>
    public CountedWork Counts => CountedWork.Of(_vcpu.Counters);

    /// <summary>What the MMU has counted so far.</summary>
    public MmuStatistics Statistics => _mmu.Snapshot(_vcpu.Counters.DataLookups, _vcpu.Counters.FetchLookups);

    /// <summary>All of RAM.</summary>
    public byte[] ReadMemory()
    {
        byte[] bytes = new byte[MemoryBytes];
        _memory.Read(new HostPhysicalAddress(0), bytes);
        return bytes;
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _mmu.Dispose();
        _memory.Dispose();
    }

    private void WriteMemory(int bitness)
    {
        byte[] code = new byte[CodeBytes];
        RandomProgram.Fill(_random, bitness, code);
        _memory.Write(new HostPhysicalAddress(CodeStart), code);
        byte[] data = new byte[DataBytes];
        foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(data.AsSpan()))
            word = _random.Percent(30) ? SomeAddress() : _random.Corner();
        _memory.Write(new HostPhysicalAddress(DataStart), data);
        _memory.Write(new HostPhysicalAddress(KernelStack - 0x1000), data.AsSpan(0, 0x1000));

        Span<ulong> descriptors =
        [
            0,
            0x00AF_9B00_0000_FFFF,
            0x00CF_9300_0000_FFFF,
            0x00CF_F300_0000_FFFF,
            0x00AF_FB00_0000_FFFF,
            0x0000_8B00_0000_0067 | (TaskState << 16),
            0,
        ];
        _memory.Write(new HostPhysicalAddress(DescriptorTable), MemoryMarshal.AsBytes(descriptors));
        _memory.Write(new HostPhysicalAddress(TaskState + 4), KernelStack);
        _memory.Write(new HostPhysicalAddress(TaskState + 36), KernelStack - 0x800);
        for (int vector = 0; vector < 256; vector++)
            WriteGate(vector);
    }

    // Handlers are anywhere in the random code; some gates are broken, some have a stack of their own.
    private void WriteGate(int vector)
    {
        ulong handler = CodeStart + (ulong)_random.Below(CodeBytes);
        ulong stackTable = _random.Percent(10) ? 1UL : 0;
        ulong type = _random.Percent(90) ? 0xEE00UL : _random.Next() & 0xFF00;
        ulong low = (handler & 0xFFFF) | ((ulong)KernelCode << 16) | (stackTable << 32) | (type << 32) | ((handler >> 16) << 48);
        _memory.Write(new HostPhysicalAddress(InterruptTable + ((ulong)vector * 16)), low);
        _memory.Write(new HostPhysicalAddress(InterruptTable + ((ulong)vector * 16) + 8), 0UL);
    }

    private void SetSystemState(int privilegeLevel)
    {
        PageTableBuilder tables = new(_memory, new FrameAllocator(new HostFrameNumber(TableFrames), 16), new HostPhysicalAddress(0));
        for (ulong at = 0; at < MappedBytes; at += 0x1000)
        {
            ulong rights = PagingEntry.Present | PagingEntry.User | (_random.Percent(90) ? PagingEntry.Writable : 0);
            tables.Map(new LinearAddress(at), new GuestPhysicalAddress(at), PageSize.Size4K, rights);
        }

        bool user = privilegeLevel == 3;
        SystemState system = _vcpu.System;
        system.Cr0 = Cr0.ProtectionEnable | Cr0.ExtensionType | Cr0.NumericError | Cr0.Paging | (_random.Percent(50) ? Cr0.WriteProtect : 0);
        system.Cr3 = tables.Root.Value;
        system.Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.OsFxsr | Cr4.FsGsBase | (_random.Percent(20) ? Cr4.PcidEnable : 0);
        system.Efer = Efer.SyscallEnable | Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable;
        system.Cpl = privilegeLevel;
        system.Cs = user ? new SegmentRegister(UserCode, 0, uint.MaxValue, 0xA0FB) : new SegmentRegister(KernelCode, 0, uint.MaxValue, 0xA09B);
        system.Ss = user ? new SegmentRegister(UserData, 0, uint.MaxValue, 0xC0F3) : new SegmentRegister(KernelData, 0, uint.MaxValue, 0xC093);
        system.Tr = new SegmentRegister(Task, TaskState, 0x67, 0x008B);
        system.Gdtr = new DescriptorTableRegister(DescriptorTable, 0x37);
        system.Idtr = new DescriptorTableRegister(InterruptTable, 0xFFF);
        system.Star = ((ulong)KernelCode << 32) | ((ulong)KernelData << 48);
        system.Lstar = CodeStart + (ulong)_random.Below(CodeBytes);
        _vcpu.ContextChanged();
    }

    private void SetRegisters()
    {
        for (int i = 0; i < 16; i++)
            _vcpu.Registers[i] = _random.Percent(60) ? SomeAddress() : _random.Corner();
        _vcpu.Registers.Rsp = DataStart + DataBytes - 0x100;
        // An element count that does not take all day.
        _vcpu.Registers.Rcx &= 0xFFFF;
        _vcpu.Registers.Flags = (RFlags)(0x202 | (_random.Next() & 0xCD5));
        _vcpu.Registers.Rip = CodeStart + (ulong)_random.Below(CodeBytes);
        _vcpu.Registers.GsBase = DataStart;
        _vcpu.ModeChanged();
    }

    private void EnterNarrow(RandomStart start)
    {
        ulong[] registers = [.. Enumerable.Range(0, 16).Select(i => _vcpu.Registers[i])];
        new NarrowStates(_memory, _vcpu, _random).Enter(start, CodeStart, CodeBytes, DataStart);
        bool isSegmented = start is RandomStart.Real or RandomStart.Virtual8086 or RandomStart.Narrow0;
        for (int i = 0; i < 8; i++)
            _vcpu.Registers[i] = isSegmented && _random.Percent(80) ? (ulong)_random.Below(DataBytes) : (uint)registers[i];
        _vcpu.Registers.Rsp = (isSegmented ? 0 : DataStart) + DataBytes - 0x100;
        _vcpu.Registers.Rcx &= 0xFFFF;
    }

    // Mostly data; sometimes tables, descriptors, code, the end of RAM or of what is mapped.
    private ulong SomeAddress() => _random.Below(10) switch
    {
        0 => CodeStart + (ulong)_random.Below(CodeBytes),
        1 => (ulong)_random.Below((int)MappedBytes),
        2 => MemoryBytes - 8 + (ulong)_random.Below(16),
        3 => (TableFrames << 12) + (ulong)_random.Below(0x6000),
        _ => DataStart + (ulong)_random.Below(DataBytes),
    };

    // A processor with every feature there is: more instructions that do something.
    private sealed class EveryFeature : ICpuidSource
    {
        public CpuidResult Read(uint leaf, uint subleaf) => leaf switch
        {
            0 => new CpuidResult(7, 0, 0, 0),
            0x8000_0000 => new CpuidResult(0x8000_0008, 0, 0, 0),
            0x8000_0008 => new CpuidResult(0x302E, 0, 0, 0),
            _ => new CpuidResult(0, uint.MaxValue, uint.MaxValue, uint.MaxValue),
        };
    }
}
