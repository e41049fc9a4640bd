using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.HostCpu;

/// <summary>The emulated CPU in ring 3, set up as Linux sets up a process: the same selectors, the same memory, no kernel below.</summary>
public sealed class EmulatedInstructionSubject : IInstructionSubject, IDisposable
{
    /// <summary>RAM that the subject needs, in bytes.</summary>
    public const ulong MemoryBytes = 1 << 20;

    // A case that does not reach INT3 within this many instructions never will.
    private const ulong InstructionLimit = 1000;

    private const ulong CodeFrames = 0x10000;
    private const ulong DataFrames = 0x20000;
    private const ulong TableFrames = 0x40;
    private const ulong TableFrameCount = 32;

    // Present, S=1, DPL 3; code is L=1 with type 0xB, data type 3 with D/B and G.
    private const ushort UserCode = 0xA0FB;
    private const ushort UserData = 0xC0F3;

    // What Linux gives a 64-bit process.
    private const ushort LinuxCode = 0x33;
    private const ushort LinuxData = 0x2B;

    private readonly HostMemory _memory;
    private readonly Vcpu _vcpu;
    private readonly byte[] _data = new byte[ScratchMemory.DataBytes];

    /// <summary>Lays out memory and makes the CPU.</summary>
    /// <param name="memory">RAM of <see cref="MemoryBytes"/>, empty.</param>
    /// <param name="mmu">Its MMU; decides which of the ways of accessing memory are taken.</param>
    public EmulatedInstructionSubject(HostMemory memory, IMmu mmu)
    {
        _memory = memory;
        PageTableBuilder tables = BuildTables(memory);
        _vcpu = new Vcpu(
            new VcpuBus { Memory = memory, Ports = new PortBus(), Mmio = new MmioBus() },
            mmu,
            new VcpuConfiguration
            {
                InterceptSyscalls = true,
                InterceptExceptions = true,
                Cpuid = new BaselineCpuid(),
                Clock = new InstructionClock(),
                MaximumMicroOps = 1 << 16,
            });
        SetSystemState(tables.Root.Value);

        byte[] code = new byte[ScratchMemory.CodeBytes];
        code.AsSpan().Fill(ScratchMemory.Int3);
        memory.Write(new HostPhysicalAddress(CodeFrames), code);
        memory.Write(new HostPhysicalAddress(DataFrames + ScratchMemory.DataBytes), ScratchMemory.ReadOnlyPattern());
    }

    /// <summary>The CPU.</summary>
    public Vcpu Vcpu => _vcpu;

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The CPU stopped for another reason than an exception; the message says which.</exception>
    public SubjectResult Execute(in InstructionCase test)
    {
        HostPhysicalAddress code = new(CodeFrames + (test.CodeAddress - ScratchMemory.CodeStart));
        HostPhysicalAddress window = new(DataFrames + (test.WindowAddress - ScratchMemory.DataStart));
        _memory.Write(code, test.CodeBytes);
        _memory.Write(window, test.Window);
        SetRegisters(test);

        VmExit exit = _vcpu.Run(_vcpu.Counters.Instructions + InstructionLimit);

        SubjectResult result = ReadRegisters(test, exit);
        _memory.Read(window, result.Window);
        _memory.Clear(window, WindowBuffer.Bytes);
        result.StraySum = TakeStrayBytes();
        Span<byte> int3 = stackalloc byte[(int)test.CodeLength];
        int3.Fill(ScratchMemory.Int3);
        _memory.Write(code, int3);
        if (exit.Reason != VmExitReason.Exception)
            throw new InvalidOperationException($"The CPU stopped at {result.Rip:x}: {exit.Reason} {exit.Detail}");
        return result;
    }

    /// <inheritdoc/>
    public void Dispose() => _vcpu.Dispose();

    private static PageTableBuilder BuildTables(HostMemory memory)
    {
        const ulong user = PagingEntry.Present | PagingEntry.User;
        PageTableBuilder tables = new(memory, new FrameAllocator(new HostFrameNumber(TableFrames), TableFrameCount), new HostPhysicalAddress(0));
        Map(ScratchMemory.CodeStart, CodeFrames, ScratchMemory.CodeBytes, user | PagingEntry.Writable);
        Map(ScratchMemory.DataStart, DataFrames, ScratchMemory.DataBytes, user | PagingEntry.Writable | PagingEntry.ExecuteDisable);
        Map(ScratchMemory.ReadOnlyStart, DataFrames + ScratchMemory.DataBytes, ScratchMemory.ReadOnlyBytes, user | PagingEntry.ExecuteDisable);
        return tables;

        void Map(ulong linear, ulong physical, int bytes, ulong flags)
        {
            for (ulong offset = 0; offset < (ulong)bytes; offset += 0x1000)
                tables.Map(new LinearAddress(linear + offset), new GuestPhysicalAddress(physical + offset), PageSize.Size4K, flags);
        }
    }

    private void SetSystemState(ulong root)
    {
        SystemState system = _vcpu.System;
        system.Cr0 = Cr0.ProtectionEnable | Cr0.ExtensionType | Cr0.NumericError | Cr0.WriteProtect | Cr0.AlignmentMask | Cr0.Paging;
        system.Cr3 = root;
        system.Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.OsFxsr | Cr4.FsGsBase;
        system.Efer = Efer.SyscallEnable | Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable;
        system.Cpl = 3;
        _vcpu.ContextChanged();
    }

    private void SetRegisters(in InstructionCase test)
    {
        RegisterFile registers = _vcpu.Registers;
        for (int i = 0; i < 16; i++)
            registers[i] = test.Registers[i];
        registers.Flags = (RFlags)test.Flags;
        registers.Rip = test.EntryPoint;
        SetSegments(test);
        _vcpu.ModeChanged();
    }

    private void SetSegments(in InstructionCase test)
    {
        SystemState system = _vcpu.System;
        system.Cs = test.IsNarrow ? NarrowSegments.Of(test.Selectors[0]) : new SegmentRegister(LinuxCode, 0, uint.MaxValue, UserCode);
        system.Ds = NarrowSegments.Of(test.Selectors[1]);
        system.Es = NarrowSegments.Of(test.Selectors[2]);
        system.Ss = test.IsNarrow ? NarrowSegments.Of(test.Selectors[3]) : new SegmentRegister(LinuxData, 0, uint.MaxValue, UserData);
        system.Fs = NarrowSegments.Of(test.Selectors[4]);
        system.Gs = NarrowSegments.Of(test.Selectors[5]);
        _vcpu.Registers.FsBase = test.IsNarrow ? system.Fs.Base : test.FsBase;
        _vcpu.Registers.GsBase = test.IsNarrow ? system.Gs.Base : test.GsBase;
    }

    private SubjectResult ReadRegisters(in InstructionCase test, in VmExit exit)
    {
        RegisterFile registers = _vcpu.Registers;
        SubjectResult result = default;
        for (int i = 0; i < 16; i++)
            result.Registers[i] = registers[i];
        result.Flags = (ulong)registers.Flags;
        result.Rip = registers.Rip;
        result.FsBase = registers.FsBase;
        result.GsBase = registers.GsBase;
        result.Vector = (ulong)exit.Vector;
        result.ErrorCode = exit.ErrorCode;
        result.FaultAddress = exit.Linear.Value;
        result.Normalise(test);
        return result;
    }

    private ulong TakeStrayBytes()
    {
        _memory.Read(new HostPhysicalAddress(DataFrames), _data);
        ulong sum = ScratchMemory.SumOfStrayBytes(_data);
        if (sum != 0)
            _memory.Clear(new HostPhysicalAddress(DataFrames), ScratchMemory.DataBytes);
        return sum;
    }
}
