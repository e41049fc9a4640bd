using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Tests.Cpu.Modes;

/// <summary>A virtual CPU without paging, in 16- or 32-bit code. Exceptions are VM exits; programs end with HLT.</summary>
internal sealed class NarrowMachine : IDisposable
{
    /// <summary>Where code goes unless a test says otherwise.</summary>
    public const uint Code = 0x1_0000;

    private const ulong MemoryBytes = 4 << 20;
    private const ulong InstructionLimit = 1_000_000;

    private readonly Mmu<Unobserved> _mmu;

    public NarrowMachine()
        : this(TestMmuConfigurations.SmallSkylake())
    {
    }

    public NarrowMachine(MmuConfiguration configuration)
    {
        Memory = new HostMemory(MemoryBytes, BackingPages.Small);
        _mmu = new Mmu<Unobserved>(Memory, configuration, default);
        Vcpu = new Vcpu(
            new VcpuBus { Memory = Memory, Ports = new PortBus(), Mmio = new MmioBus() },
            _mmu,
            new VcpuConfiguration
            {
                InterceptSyscalls = false,
                InterceptExceptions = true,
                Cpuid = new FullCpuid(),
                Clock = new InstructionClock(),
                MaximumMicroOps = 1 << 14,
            });
    }

    public HostMemory Memory { get; }

    public Vcpu Vcpu { get; }

    public RegisterFile Registers => Vcpu.Registers;

    public SystemState System => Vcpu.System;

    /// <summary>32-bit flat protected mode at <see cref="Code"/> with a stack below it.</summary>
    public static NarrowMachine Flat()
    {
        var machine = new NarrowMachine();
        StartState.FlatProtected(machine.Vcpu, 0x08, 0x10, Code);
        machine.Registers.Rsp = Code;
        return machine;
    }

    /// <summary>Real-address mode at 1000:0000 with a stack at 0000:8000.</summary>
    public static NarrowMachine Real()
    {
        var machine = new NarrowMachine();
        StartState.Real(machine.Vcpu, (ushort)(Code >> 4), 0);
        machine.Registers.Rsp = 0x8000;
        return machine;
    }

    /// <summary>Changes segment registers and tells the CPU.</summary>
    public void Set(Action<SystemState> change)
    {
        change(System);
        Vcpu.ModeChanged();
    }

    /// <summary>Assembles code for an address.</summary>
    public void Assemble(int bits, ulong linear, Action<Assembler> write, ulong ip)
    {
        var assembler = new Assembler(bits);
        write(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), ip);
        Memory.Write(new HostPhysicalAddress(linear), stream.ToArray());
    }

    /// <summary>Assembles where a test's code begins.</summary>
    public void Assemble(int bits, Action<Assembler> write) => Assemble(bits, Code, write, Registers.Rip);

    /// <summary>Runs until a VM exit.</summary>
    public VmExit Run() => Vcpu.Run(Vcpu.Counters.Instructions + InstructionLimit);

    public ulong Read(ulong address, int bytes)
    {
        ulong value = 0;
        Span<byte> buffer = stackalloc byte[8];
        Memory.Read(new HostPhysicalAddress(address), buffer[..bytes]);
        for (int i = bytes - 1; i >= 0; i--)
            value = (value << 8) | buffer[i];
        return value;
    }

    public void Dispose()
    {
        Vcpu.Dispose();
        Memory.Dispose();
    }
}
