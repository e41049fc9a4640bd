using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Machines;

/// <summary>A virtual CPU in 64-bit ring 0 with a page of code and a window of data whose neighbouring pages are not neighbouring frames.</summary>
/// <remarks>Exceptions are VM exits. A program ends with <see cref="End"/>.</remarks>
public sealed class StringMachine : IDisposable
{
    /// <summary>Linear address of the code; the page behind it is mapped too.</summary>
    public const ulong Code = 0x40_0000;

    /// <summary>Linear address of the data.</summary>
    public const ulong Data = 0x10_0000;

    /// <summary>Pages of data.</summary>
    public const int DataPages = 24;

    /// <summary>Bytes of data.</summary>
    public const int DataBytes = DataPages * 4096;

    private const ulong CodeFrame = 0x20_0000;
    private const ulong DataFrames = 0x30_0000;
    private const ulong MemoryBytes = 16 << 20;
    private const ulong InstructionLimit = 10_000_000;

    private readonly Mmu<Unobserved> _mmu;

    /// <summary>Builds the machine around translation hardware.</summary>
    public StringMachine(MmuConfiguration configuration)
    {
        Memory = new HostMemory(MemoryBytes);
        Mmio = new MmioBus();
        _mmu = new Mmu<Unobserved>(Memory, configuration, default);
        Vcpu = new Vcpu(
            new VcpuBus { Memory = Memory, Ports = new PortBus(), Mmio = Mmio },
            _mmu,
            new VcpuConfiguration
            {
                InterceptSyscalls = true,
                InterceptExceptions = true,
                Cpuid = new NoCpuid(),
                Clock = new InstructionClock(),
                MaximumMicroOps = 1 << 14,
            });
        Tables = new PageTableBuilder(Memory, new FrameAllocator(new HostFrameNumber(0x100), 0x100), default);
        for (ulong page = 0; page < 2; page++)
            Map(Code + (page << 12), CodeFrame + (page << 12));
        for (int page = 0; page < DataPages; page++)
            Map(Data + ((ulong)page << 12), FrameOf(page));
        SystemState system = Vcpu.System;
        system.Cr0 = Cr0.ProtectionEnable | Cr0.ExtensionType | Cr0.WriteProtect | Cr0.Paging;
        system.Cr3 = Tables.Root.Value;
        system.Cr4 = Cr4.PhysicalAddressExtension;
        system.Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable;
        system.Cs = BareSelectors.Segment(BareSelectors.KernelCode);
        Vcpu.ContextChanged();
        Registers.Rip = Code;
    }

    public HostMemory Memory { get; }

    public MmioBus Mmio { get; }

    public PageTableBuilder Tables { get; }

    public Vcpu Vcpu { get; }

    public RegisterFile Registers => Vcpu.Registers;

    public IMmu Mmu => _mmu;

    /// <summary>The frame of a page of data: neighbours are three frames apart.</summary>
    public static ulong FrameOf(int page) => DataFrames + ((ulong)(page * 3 % (DataPages + 1)) << 12);

    /// <summary>Maps a page, writable and executable.</summary>
    public void Map(ulong linear, ulong physical) =>
        Tables.Map(new LinearAddress(linear), new GuestPhysicalAddress(physical), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);

    /// <summary>Makes a page absent and forgets its translation.</summary>
    public void Unmap(ulong linear)
    {
        Tables.Change(new LinearAddress(linear), 1, 0, PagingEntry.Present);
        Mmu.InvalidatePage(new LinearAddress(linear));
    }

    /// <summary>Makes an absent page present.</summary>
    public void Remap(ulong linear) => Tables.Change(new LinearAddress(linear), 1, PagingEntry.Present, 0);

    /// <summary>Assembles a program at <see cref="Code"/> and points RIP at it.</summary>
    public void Load(Action<Assembler> write)
    {
        var assembler = new Assembler(64);
        write(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), Code);
        Memory.Write(new HostPhysicalAddress(CodeFrame), stream.ToArray());
        Registers.Rip = Code;
    }

    /// <summary>The instruction that ends a program: its VM exit is a marker.</summary>
    public static void End(Assembler assembler) => assembler.nop(AssemblerRegisters.__dword_ptr[AssemblerRegisters.rax + (int)Markers.End]);

    /// <summary>Runs until a VM exit.</summary>
    public VmExit Run() => Vcpu.Run(InstructionLimit);

    /// <summary>Writes into the data window.</summary>
    public void Write(int offset, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length != 0)
        {
            int step = Math.Min(bytes.Length, 4096 - (offset & 0xFFF));
            Memory.Write(new HostPhysicalAddress(FrameOf(offset >> 12) + (ulong)(offset & 0xFFF)), bytes[..step]);
            bytes = bytes[step..];
            offset += step;
        }
    }

    /// <summary>Reads both pages of code.</summary>
    public byte[] ReadCode()
    {
        byte[] bytes = new byte[2 * 4096];
        Memory.Read(new HostPhysicalAddress(CodeFrame), bytes);
        return bytes;
    }

    /// <summary>Reads all of the data window.</summary>
    public byte[] ReadAll()
    {
        byte[] bytes = new byte[DataBytes];
        for (int page = 0; page < DataPages; page++)
            Memory.Read(new HostPhysicalAddress(FrameOf(page)), bytes.AsSpan(page << 12, 4096));
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Vcpu.Dispose();
        _mmu.Dispose();
        Memory.Dispose();
    }

    private sealed class NoCpuid : ICpuidSource
    {
        public CpuidResult Read(uint leaf, uint subleaf) => default;
    }
}
