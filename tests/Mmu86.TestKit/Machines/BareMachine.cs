using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Machines;

/// <summary>A virtual CPU in 64-bit ring 0 with memory, page tables, GDT, IDT and TSS: small enough to be taken in at a glance.</summary>
/// <remarks>
/// <code>
/// 0x01000  GDT: see BareSelectors
/// 0x02000  IDT: vector v leads to Handlers + 16 v, which holds HLT
/// 0x03000  TSS: RSP0 = KernelStackTop, IST1 = InterruptStackTop
/// 0x04000  handlers
/// 0x10000  Code, for supervisor      0x200000  UserCode, for ring 3
/// 0x20000  KernelStackTop            0x220000  UserStackTop
/// 0x30000  InterruptStackTop         0x300000  UserData
/// 0x40000  Data
/// </code>
/// The first 2 MiB are mapped for the supervisor, the second 2 MiB for users too, each linear address to the same physical one.
/// </remarks>
public sealed class BareMachine : IDisposable
{
    public const ulong Gdt = 0x1000;
    public const ulong Idt = 0x2000;
    public const ulong Tss = 0x3000;
    public const ulong Handlers = 0x4000;
    public const ulong Code = 0x1_0000;
    public const ulong KernelStackTop = 0x2_0000;
    public const ulong InterruptStackTop = 0x3_0000;
    public const ulong Data = 0x4_0000;
    public const ulong UserCode = 0x20_0000;
    public const ulong UserStackTop = 0x22_0000;
    public const ulong UserData = 0x30_0000;

    private const ulong MemoryBytes = 16 << 20;
    private const ulong SupervisorBytes = 2 << 20;
    private const ulong MappedBytes = 4 << 20;
    private const int MaximumMicroOps = 1 << 16;
    private const int TssBytes = 0x68 + 0x2000 + 1;
    private const ulong InstructionLimit = 10_000_000;

    private readonly Mmu<Unobserved> _mmu;

    /// <summary>Builds the machine.</summary>
    public BareMachine(BareMachineOptions options)
    {
        Memory = new HostMemory(MemoryBytes, BackingPages.Small);
        Ports = new PortBus();
        Mmio = new MmioBus();
        _mmu = new Mmu<Unobserved>(Memory, options.Mmu, default);
        Vcpu = new Vcpu(
            new VcpuBus { Memory = Memory, Ports = Ports, Mmio = Mmio },
            _mmu,
            new VcpuConfiguration
            {
                InterceptSyscalls = options.InterceptSyscalls,
                InterceptExceptions = options.InterceptExceptions,
                ShadowsPaging = options.ShadowsPaging,
                Cpuid = options.Cpuid,
                Clock = new InstructionClock(),
                MaximumMicroOps = MaximumMicroOps,
            });
        Tables = new PageTableBuilder(Memory, new FrameAllocator(new HostFrameNumber(0x400), 0x400), default);
        MapMemory();
        WriteTables();
        SetRegisters();
        Vcpu.ContextChanged();
    }

    /// <summary>Builds the machine that most tests want.</summary>
    public BareMachine()
        : this(new BareMachineOptions())
    {
    }

    public HostMemory Memory { get; }

    public PortBus Ports { get; }

    public MmioBus Mmio { get; }

    public PageTableBuilder Tables { get; }

    public Vcpu Vcpu { get; }

    /// <summary>The translation hardware.</summary>
    public IMmu Mmu => _mmu;

    public RegisterFile Registers => Vcpu.Registers;

    public SystemState System => Vcpu.System;

    /// <summary>Assembles code where RIP is.</summary>
    public void Assemble(Action<Assembler> write) => Assemble(Registers.Rip, write);

    /// <summary>Assembles code.</summary>
    /// <param name="address">Where it goes and from where it runs.</param>
    /// <param name="write">What.</param>
    public void Assemble(ulong address, Action<Assembler> write)
    {
        var assembler = new Assembler(64);
        write(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        WriteBytes(address, stream.ToArray());
    }

    /// <summary>Enters ring 3 at <see cref="UserCode"/> with its own stack.</summary>
    public void EnterUserMode()
    {
        System.Cs = BareSelectors.Segment(BareSelectors.UserCode);
        System.Ss = BareSelectors.Segment(BareSelectors.UserData);
        System.Cpl = 3;
        Registers.Rip = UserCode;
        Registers.Rsp = UserStackTop;
        Vcpu.ModeChanged();
    }

    /// <summary>Writes a gate of the IDT.</summary>
    public void SetGate(byte vector, BareGate gate)
    {
        HostPhysicalAddress address = new(Idt + (vector * 16UL));
        Memory.Write(address, gate.Low);
        Memory.Write(new HostPhysicalAddress(address.Value + 8), gate.Handler >> 32);
    }

    /// <summary>The gate that every vector has to begin with: an interrupt gate to its HLT.</summary>
    public static BareGate DefaultGate(byte vector) => new() { Handler = HandlerOf(vector) };

    /// <summary>Where a vector's HLT is.</summary>
    public static ulong HandlerOf(byte vector) => Handlers + (vector * 16UL);

    /// <summary>Writes a descriptor of the GDT.</summary>
    public void SetDescriptor(ushort selector, ulong value) => Memory.Write(new HostPhysicalAddress(Gdt + (selector & 0xFFF8UL)), value);

    /// <summary>Puts EPT below the machine: every guest-physical address to the same host-physical one, a 4 KiB page at a time.</summary>
    public EptBuilder EnableEpt()
    {
        var ept = new EptBuilder(Memory, new FrameAllocator(new HostFrameNumber(0x800), 0x100));
        ept.MapRange(default, default, (int)(MemoryBytes >> 12), PageSize.Size4K);
        Vcpu.ContextChanged(ept.Eptp, 1);
        return ept;
    }

    /// <summary>Runs until a VM exit.</summary>
    public VmExit Run() => Vcpu.Run(InstructionLimit);

    /// <summary>Runs until a handler's HLT.</summary>
    /// <returns>The vector that was delivered.</returns>
    /// <exception cref="InvalidOperationException">The run ended elsewhere.</exception>
    public ExceptionVector RunToHandler()
    {
        VmExit exit = Run();
        ulong offset = Registers.Rip - 1 - Handlers;
        if (exit.Reason != VmExitReason.Halt || offset % 16 != 0 || offset / 16 > 255)
            throw new InvalidOperationException($"No handler was reached: {exit.Reason} at 0x{Registers.Rip:x}. {exit.Detail}");
        return (ExceptionVector)(offset / 16);
    }

    /// <summary>The frame that delivery pushed, as the handler finds it.</summary>
    public EventFrame Frame(ExceptionVector vector)
    {
        ulong at = Registers.Rsp;
        ulong? errorCode = null;
        if (vector.HasErrorCode())
        {
            errorCode = Read(at);
            at += 8;
        }

        return new EventFrame(errorCode, Read(at), (ushort)Read(at + 8), (RFlags)Read(at + 16), Read(at + 24), (ushort)Read(at + 32));
    }

    /// <summary>Reads eight bytes of memory.</summary>
    public ulong Read(ulong physical) => Memory.Read<ulong>(new HostPhysicalAddress(physical));

    /// <summary>Writes eight bytes of memory.</summary>
    public void Write(ulong physical, ulong value) => Memory.Write(new HostPhysicalAddress(physical), value);

    /// <summary>Writes bytes of memory.</summary>
    public void WriteBytes(ulong physical, ReadOnlySpan<byte> bytes) => Memory.Write(new HostPhysicalAddress(physical), bytes);

    /// <summary>Reads bytes of memory.</summary>
    public byte[] ReadBytes(ulong physical, int count)
    {
        byte[] bytes = new byte[count];
        Memory.Read(new HostPhysicalAddress(physical), bytes);
        return bytes;
    }

    /// <summary>Makes a page absent, and forgets its translation.</summary>
    public void Unmap(ulong linear)
    {
        Tables.Change(new LinearAddress(linear), 1, 0, PagingEntry.Present);
        Mmu.InvalidatePage(new LinearAddress(linear));
    }

    /// <summary>Makes an absent page present again.</summary>
    public void Remap(ulong linear) => Tables.Change(new LinearAddress(linear), 1, PagingEntry.Present, 0);

    /// <inheritdoc/>
    public void Dispose()
    {
        Vcpu.Dispose();
        _mmu.Dispose();
        Memory.Dispose();
    }

    private void MapMemory()
    {
        const ulong Supervisor = PagingEntry.Present | PagingEntry.Writable;
        for (ulong address = 0; address < MappedBytes; address += 4096)
        {
            ulong flags = address < SupervisorBytes ? Supervisor : Supervisor | PagingEntry.User;
            Tables.Map(new LinearAddress(address), new GuestPhysicalAddress(address), PageSize.Size4K, flags);
        }
    }

    private void WriteTables()
    {
        foreach ((ushort selector, ulong value) in BareSelectors.Descriptors(Tss, TssBytes - 1))
            SetDescriptor(selector, value);
        for (int vector = 0; vector < 256; vector++)
        {
            SetGate((byte)vector, DefaultGate((byte)vector));
            WriteBytes(HandlerOf((byte)vector), [0xF4]);
        }

        Write(Tss + 4, KernelStackTop);
        Write(Tss + 0x24, InterruptStackTop);
        Memory.Write(new HostPhysicalAddress(Tss + 0x66), (ushort)0x68);
    }

    private void SetRegisters()
    {
        System.Cr0 = Cr0.ProtectionEnable | Cr0.ExtensionType | Cr0.NumericError | Cr0.WriteProtect | Cr0.Paging;
        System.Cr3 = Tables.Root.Value;
        System.Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable;
        System.Efer = Efer.SyscallEnable | Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable;
        System.Cs = BareSelectors.Segment(BareSelectors.KernelCode);
        System.Ss = BareSelectors.Segment(BareSelectors.KernelData);
        System.Tr = new SegmentRegister(BareSelectors.Task, Tss, TssBytes - 1, 0x8B);
        System.Gdtr = new DescriptorTableRegister(Gdt, 0xFFF);
        System.Idtr = new DescriptorTableRegister(Idt, 0xFFF);
        Registers.Rip = Code;
        Registers.Rsp = KernelStackTop;
        Registers.Flags = RFlags.Reserved1;
    }
}
