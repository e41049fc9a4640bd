using System.Runtime.InteropServices;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>What a virtual CPU is attached to.</summary>
public sealed record VcpuBus
{
    public required HostMemory Memory { get; init; }

    public required PortBus Ports { get; init; }

    public required MmioBus Mmio { get; init; }
}

/// <summary>One virtual CPU: state, decoded code and the run loop. Everything that is not the CPU's affair returns as a <see cref="VmExit"/>.</summary>
public sealed unsafe partial class Vcpu : IDisposable
{
    private readonly Reservation _stateMemory;
    private readonly CpuState* _s;
    private readonly GCHandle _self;
    private readonly VcpuConfiguration _configuration;
    private readonly CodeCache _code;
    private readonly TranslationFilter _filter;

    // In force where every access must be seen: it stays empty.
    private readonly TranslationFilter _emptyFilter;

    /// <summary>Makes a CPU in the reset state of 64-bit mode's predecessor: the caller sets registers before it runs.</summary>
    public Vcpu(VcpuBus bus, IMmu mmu, VcpuConfiguration configuration)
    {
        _configuration = configuration;
        _stateMemory = new Reservation((ulong)sizeof(CpuState));
        _s = (CpuState*)_stateMemory.Pointer;
        _self = GCHandle.Alloc(this);
        _s->Self = GCHandle.ToIntPtr(_self);
        _s->SystemFlags = (ulong)RFlags.Reserved1;
        _s->LinearAddressBits = Canonical.Width(Cr4.None);
        Bus = bus;
        Mmu = mmu;
        _filter = mmu.Filter;
        _emptyFilter = new TranslationFilter(_filter.Slots);
        AbsentRegisters = new UnclaimedAccesses { InstructionPointer = () => _s->Rip };
        _s->SlotOffsetMask = _filter.OffsetMask;
        Counters = new CpuCounters();
        Faults = new FaultState();
        Features = new ProcessorFeatures(configuration.Cpuid);
        System = new SystemState();
        Registers = new RegisterFile(_s);
        Breakpoints = new Breakpoints(System);
        Data = new DataAccess(_s, mmu, bus.Memory, bus.Mmio, Faults, Counters, Breakpoints);
        _code = new CodeCache(_s, bus.Memory, mmu, configuration.MaximumMicroOps, configuration.Timing is null ? FactKeeping.NotKept : FactKeeping.Kept);
        ModeChanged();
    }

    /// <summary>Model-specific registers that RDMSR and WRMSR named at level 0 and that do not exist.</summary>
    public UnclaimedAccesses AbsentRegisters { get; }

    /// <summary>General-purpose registers, RIP and RFLAGS. Valid between runs and inside managed instructions.</summary>
    public RegisterFile Registers { get; }

    /// <summary>Control, segment and model-specific registers. After changing what paging depends on, call <see cref="ContextChanged"/>.</summary>
    public SystemState System { get; }

    /// <summary>The translation hardware.</summary>
    public IMmu Mmu { get; }

    /// <summary>Memory, ports, MMIO.</summary>
    public VcpuBus Bus { get; }

    /// <summary>Data accesses of managed instructions.</summary>
    public DataAccess Data { get; }

    /// <summary>The fault of the instruction in progress.</summary>
    public FaultState Faults { get; }

    /// <summary>What was counted. Exact between runs.</summary>
    public CpuCounters Counters { get; }

    /// <summary>Everything that the MMU counted, the hits included that the filter answered. Between runs.</summary>
    public MmuStatistics Statistics => Mmu.Snapshot(Counters.DataLookups, Counters.FetchLookups);

    /// <summary>The time-stamp counter: the virtual clock plus the guest's offset.</summary>
    public ulong TimeStamp => VirtualTime + System.TscOffset;

    /// <summary>The VM exit that a managed instruction asks for.</summary>
    internal VmExit RequestedExit { get; set; }

    /// <summary>An event whose delivery a VM exit cut short: delivered before the next instruction. Null where there is none.</summary>
    internal PendingEvent? PendingEvent { get; set; }

    /// <summary>The instruction in progress is not followed by a single-step trap, although it began with RFLAGS.TF=1.</summary>
    internal bool InhibitsSingleStep { get; set; }

    /// <summary>What must wait at the next instruction boundary. An instruction sets it; the one behind it clears it.</summary>
    internal InterruptShadow InterruptShadow { get; set; }

    /// <summary>The debug registers at work.</summary>
    internal Breakpoints Breakpoints { get; }

    /// <summary>Whether a trap may follow each element of a string instruction: a single step, or a data or I/O breakpoint.</summary>
    internal bool TrapsBetweenElements => TrapFlag || Breakpoints.IsArmed;

    /// <summary>MAXPHYADDR.</summary>
    public int PhysicalAddressBits => Features.PhysicalAddressBits;

    /// <summary>What CPUID says.</summary>
    internal ProcessorFeatures Features { get; }

    /// <summary>The operating mode, as <see cref="ModeChanged"/> found it.</summary>
    public ProcessorMode Mode => _mode.Processor;

    /// <summary>Bits of operands and addresses of code without a prefix: 16, 32 or 64.</summary>
    public int CodeBits => _mode.Bits;

    internal VcpuConfiguration Configuration => _configuration;

    internal CpuState* State => _s;

    /// <summary>Called by devices during a port or MMIO access: the run returns behind the instruction. When time reaches a device: before the next one.</summary>
    public void RequestStop()
    {
        _stopRequested = true;
        _s->Attention = 1;
    }

    /// <summary>Tells where a ROM lies: besides RAM the one memory that code is fetched from. Before the first instruction.</summary>
    /// <param name="start">Its first address, that of a frame.</param>
    /// <param name="bytes">What it holds, whole frames; they never change.</param>
    public void SetRom(HostPhysicalAddress start, ReadOnlySpan<byte> bytes) => _code.SetRom(start, bytes);

    /// <inheritdoc/>
    public void Dispose()
    {
        _code.Dispose();
        _emptyFilter.Dispose();
        _self.Free();
        _stateMemory.Dispose();
    }
}
