using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Tests.Cpu;

/// <summary>A virtual CPU whose ops are laid out by hand, and which says how deep the stack was at the last of them.</summary>
/// <remarks>
/// The chain lies at the end of the op pool, so that whatever handlers compute from an op's place in the pool holds. Memory is mapped one to
/// one. The last op is no handler of the emulator: it notes where its frame is and returns.
/// </remarks>
internal sealed unsafe class HandlerMachine : IDisposable
{
    /// <summary>Where memory operands lie, and behind it the targets of jumps through memory.</summary>
    public const ulong OperandAddress = 0x4_0000;

    /// <summary>What the fetch table of the filter answers for the page behind the code page.</summary>
    public const ulong SecondPagePayload = 0x1234_5678;

    /// <summary>The page that ops are taken to come from.</summary>
    public const ulong CodePage = 0x1_0000;

    private const ulong FrameAddress = 0x5_0000;
    private const ulong StackTop = 0x6_8000;
    private const ulong MappedStart = 0x1_0000;
    private const ulong MappedEnd = 0x10_0000;
    private const ulong HostBytes = 4UL << 20;
    private const long Budget = long.MaxValue / 2;
    private const int PoolOps = 8192;
    private const int ChainStart = 4096;
    private const byte Rbx = 3 * 8;
    private const byte Rsi = 6 * 8;

    private readonly HostMemory _memory;
    private readonly PortBus _ports = new();
    private readonly MmioBus _mmio = new();
    private readonly Mmu<Unobserved> _mmu;
    private readonly CpuState* _state;
    private readonly uint* _entries;
    private MicroOp* _last;
    private ChainKind _kind;

    public HandlerMachine(MmuConfiguration configuration)
    {
        _memory = new HostMemory(HostBytes);
        var tables = new PageTableBuilder(_memory, new FrameAllocator(new HostFrameNumber(MappedEnd >> 12), 16), default);
        for (ulong page = MappedStart; page < MappedEnd; page += 4096)
            tables.Map(new LinearAddress(page), new GuestPhysicalAddress(page), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);
        _mmu = new Mmu<Unobserved>(_memory, configuration, default);
        Vcpu = new Vcpu(
            new VcpuBus { Memory = _memory, Ports = _ports, Mmio = _mmio },
            _mmu,
            new VcpuConfiguration
            {
                InterceptSyscalls = true,
                InterceptExceptions = true,
                Cpuid = new EmptyCpuid(),
                Clock = new InstructionClock(),
                MaximumMicroOps = PoolOps,
            });
        Vcpu.System.Cr0 = Cr0.ProtectionEnable | Cr0.Paging;
        Vcpu.System.Cr3 = tables.Root.Value;
        Vcpu.System.Cr4 = Cr4.PhysicalAddressExtension;
        Vcpu.System.Efer = Efer.LongModeEnable | Efer.LongModeActive;
        Vcpu.System.Cs = BareSelectors.Segment(BareSelectors.KernelCode);
        Vcpu.ContextChanged(0, 0);
        _state = Vcpu.State;
        _entries = (uint*)NativeMemory.AllocZeroed(4096, sizeof(uint));
        for (ulong page = MappedStart; page < MappedEnd; page += 4096)
        {
            Vcpu.Data.TryRead(page, out ulong value);
            Vcpu.Data.TryWrite(page, value);
        }
    }

    public Vcpu Vcpu { get; }

    /// <summary>Data lookups that reached the MMU so far: those that the filter did not answer.</summary>
    public ulong SlowLookups => _mmu.Statistics.L1Data.Lookups;

    /// <summary>Why the last run ended where it did not reach the last op.</summary>
    public LeaveReason Leave => _state->Leave;

    /// <summary>Runs one instruction, decoded as ever.</summary>
    /// <param name="offset">Where in <see cref="CodePage"/> it begins.</param>
    /// <param name="code">The instruction.</param>
    public VmExit RunDecoded(ulong offset, ReadOnlySpan<byte> code)
    {
        _memory.Write(new HostPhysicalAddress(CodePage + offset), code);
        Vcpu.Registers.Rip = CodePage + offset;
        return Vcpu.Run(Vcpu.Counters.Instructions + 1);
    }

    /// <summary>An op of a handler that the decoder made.</summary>
    public HandlerPrototype FindDecoded(nint handler)
    {
        // It holds the stub where the handler had not been compiled yet.
        HandlerPointers.TryFollow(handler, out nint code);
        for (int i = 0; i < ChainStart; i++)
        {
            nint held = _state->Pool[i].Handler;
            if (held == handler || held == code)
                return new HandlerPrototype { Text = "decoded", Op = _state->Pool[i], Detail = _state->Details[i], Kind = ChainKind.Straight, Lookups = 0 };
        }

        throw new InvalidOperationException("The decoder made no such op.");
    }

    /// <summary>Lays out so many copies of an op.</summary>
    public void Build(HandlerPrototype prototype, int copies)
    {
        _kind = prototype.Kind;
        MicroOp* at = _state->Pool + ChainStart;
        for (int copy = 0; copy < copies; copy++)
        {
            _entries[copy] = (uint)(at - _state->Pool);
            if (Step(prototype.Kind) is { } step)
                *at++ = step;
            *at = prototype.Op;
            at->Handler = prototype.Code;
            _state->Details[at - _state->Pool] = prototype.Detail;
            if (prototype.Kind == ChainKind.ThroughImmediate)
                at->Immediate = (ulong)copy + 1;
            at++;
            if (prototype.Kind is ChainKind.Straight or ChainKind.Strings)
                continue;
            *(BlockLink*)at = default;
            ((BlockLink*)at)->Taken = at + 1;
            ((BlockLink*)at)->Fall = at + 1;
            at++;
        }

        _entries[copies] = (uint)(at - _state->Pool);
        *at = default;
        at->Handler = Handlers.Of(&NoteStack);
        _last = at;
        WriteTargets(copies);
    }

    /// <summary>Runs the chain from its start.</summary>
    /// <returns>How far below the caller's the frame of the last op was, in bytes; null where it was not reached.</returns>
    public long? Run()
    {
        for (byte register = 0; register < 16; register++)
            *Registers.Pointer(_state, (byte)(register * 8)) = 0;
        Vcpu.Registers.Rax = 1;
        Vcpu.Registers.Rcx = 1;
        Vcpu.Registers.Rbx = _kind == ChainKind.ThroughMemory ? OperandAddress - 8 : OperandAddress;
        Vcpu.Registers.Rsp = StackTop;
        Vcpu.Registers.Rbp = FrameAddress;
        Vcpu.Registers.Rsi = _kind == ChainKind.ThroughRegister ? CodePage : 1;
        Vcpu.Registers.Rdi = 1;
        if (_kind == ChainKind.Strings)
        {
            Vcpu.Registers.Rsi = OperandAddress;
            Vcpu.Registers.Rdi = OperandAddress;
        }

        *Registers.Pointer(_state, CpuState.CodePageRegister) = CodePage;
        _memory.Write(new HostPhysicalAddress(FrameAddress), FrameAddress);
        if (_kind != ChainKind.ThroughMemory)
            _memory.Write(new HostPhysicalAddress(OperandAddress), 1UL);
        SetFetchSlot(CodePage, (ulong)_entries);
        SetFetchSlot(CodePage + 4096, SecondPagePayload);
        _state->Attention = 0;
        long depth = Depth(_state, _state->Pool + ChainStart, _last);
        return depth == 0 ? null : depth;
    }

    public void Dispose()
    {
        Vcpu.Dispose();
        _mmu.Dispose();
        _memory.Dispose();
        NativeMemory.Free(_entries);
    }

    // What must run before each copy so that it goes on to the next.
    private static MicroOp? Step(ChainKind kind) => kind switch
    {
        ChainKind.ThroughRegister => new MicroOp { Handler = Handlers.Of(&AluRegister<Add, W64>.Immediate), Destination = Rsi, Immediate = 1 },
        ChainKind.ThroughMemory => new MicroOp { Handler = Handlers.Of(&AluRegister<Add, W64>.Immediate), Destination = Rbx, Immediate = 8 },
        _ => null,
    };

    // The addresses of the copies behind the first, and of the last op, where jumps through memory and returns find them.
    private void WriteTargets(int copies)
    {
        if (_kind is not (ChainKind.ThroughMemory or ChainKind.ThroughStack))
            return;
        ulong table = _kind == ChainKind.ThroughMemory ? OperandAddress : StackTop;
        for (int copy = 0; copy < copies; copy++)
            _memory.Write(new HostPhysicalAddress(table + (8 * (ulong)copy)), CodePage + (ulong)copy + 1);
    }

    private void SetFetchSlot(ulong page, ulong payload)
    {
        FilterSlot* slot = TranslationFilter.Slot(_state->FetchSlots, page, _state->SlotOffsetMask);
        slot->Tag = FilterSlot.TagOf(page);
        slot->Payload = payload;
    }

    // Never compiled again, so that its frame is the same in every run.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static long Depth(CpuState* s, MicroOp* first, MicroOp* last)
    {
        nuint noted = 0;
        last->Immediate = (ulong)&noted;
        ((delegate*<CpuState*, MicroOp*, ulong, ulong, ulong, long, void>)first->Handler)(s, first, 0, 0, 0, Budget);
        return noted == 0 ? 0 : (long)((nuint)(&noted) - noted);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static void NoteStack(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        byte here;
        *(nuint*)op->Immediate = (nuint)(&here);
    }

    private sealed class EmptyCpuid : ICpuidSource
    {
        public CpuidResult Read(uint leaf, uint subleaf) => default;
    }
}
