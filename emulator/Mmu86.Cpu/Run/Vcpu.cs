using System.Runtime.InteropServices;
using Iced.Intel;
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
    // Near an event ops run singly: a block has at most this many instructions.
    private const int LongestBlock = BlockBuilder.MaximumInstructions;

    private const ulong LongestInstruction = 15;

    private const ulong ShorteningInterval = 100_000;

    // More exceptions than vectors without an instruction between them: some handler was entered many times over.
    private const int MostExceptionsInARow = 10_000;

    private readonly Reservation _stateMemory;
    private readonly CpuState* _s;
    private readonly GCHandle _self;
    private readonly VcpuConfiguration _configuration;
    private readonly CodeCache _code;
    private readonly TranslationFilter _filter;

    // In force where every access must be seen: it stays empty.
    private readonly TranslationFilter _emptyFilter;
    private int _chunk;
    private bool _stopRequested;

    // The op of a REP string instruction that stopped between elements; null where none did.
    private MicroOp* _repeat;
    private MicroOp* _managedOp;

    // The op at _repeat is one that found a device and begins anew.
    private bool _isAtDevice;
    private ulong _nextShortening;
    private int _exceptionsInARow;
    private ulong _retiredAtException;
    private CodeMode _mode = new((byte)ProcessorMode.Real);

    /// <summary>Makes a CPU in the reset state of 64-bit mode's predecessor: the caller sets registers before it runs.</summary>
    public Vcpu(VcpuBus bus, IMmu mmu, VcpuConfiguration configuration)
    {
        _configuration = configuration;
        _stateMemory = new Reservation((ulong)sizeof(CpuState));
        _s = (CpuState*)_stateMemory.Pointer;
        _self = GCHandle.Alloc(this);
        _s->Self = GCHandle.ToIntPtr(_self);
        _s->SystemFlags = (ulong)RFlags.Reserved1;
        Bus = bus;
        Mmu = mmu;
        _filter = mmu.Filter;
        _emptyFilter = new TranslationFilter(_filter.Slots);
        _s->SlotOffsetMask = _filter.OffsetMask;
        Counters = new CpuCounters();
        Faults = new FaultState();
        Features = new ProcessorFeatures(configuration.Cpuid);
        System = new SystemState();
        Registers = new RegisterFile(_s);
        Breakpoints = new Breakpoints(System);
        Data = new DataAccess(_s, mmu, bus.Memory, bus.Mmio, Faults, Counters, Breakpoints);
        _code = new CodeCache(_s, bus.Memory, mmu, configuration.MaximumMicroOps);
        ModeChanged();
    }

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

    internal VcpuConfiguration Configuration => _configuration;

    internal CpuState* State => _s;

    /// <summary>Called by devices during a port or MMIO access: the run returns behind the instruction.</summary>
    public void RequestStop()
    {
        _stopRequested = true;
        _s->Attention = 1;
    }

    /// <summary>Puts CR0, CR3, CR4, EFER, the PDPTE registers, PKRU and IA32_PKRS in force in the MMU. Invalidations that the manual demands are the caller's.</summary>
    /// <param name="eptp">The EPT pointer, 0 for native paging.</param>
    /// <param name="vpid">The VPID, 0 for native paging.</param>
    public void ContextChanged(ulong eptp, ushort vpid) => ContextChanged(eptp, vpid, Mmu.Context.Nested);

    /// <summary>As <see cref="ContextChanged(ulong, ushort)"/>, with other controls of nested paging: a VM entry.</summary>
    public void ContextChanged(ulong eptp, ushort vpid, NestedControls? nested)
    {
        Mmu.SetContext(new PagingContext
        {
            Cr0 = System.Cr0,
            Cr3 = System.Cr3,
            Cr4 = System.Cr4,
            Efer = System.Efer,
            Eptp = eptp,
            Vpid = vpid,
            Nested = nested,
            Pdptes = System.Pdptes,
            Pkru = System.Pkru,
            Pkrs = System.Pkrs,
            Pat = System.Pat,
            MemoryTypes = System.MemoryTypeRanges,
        });
        ModeChanged();
    }

    /// <summary>As <see cref="ContextChanged(ulong, ushort)"/>, keeping EPT as it is.</summary>
    public void ContextChanged() => ContextChanged(Mmu.Context.Eptp, Mmu.Context.Vpid);

    /// <summary>
    /// CPL, RFLAGS.AC or RFLAGS.VM, CR0.PE, IA32_EFER.LMA a segment register or a debug register changed: selects the banks of the filter, the
    /// mode of code and the windows of the segments. In 64-bit mode loads of DS, ES, FS and GS need not tell.
    /// </summary>
    public void ModeChanged()
    {
        bool checksAlignment = System.Cpl == 3 && (System.Cr0 & Cr0.AlignmentMask) != 0
            && (_s->SystemFlags & (ulong)RFlags.AlignmentCheck) != 0;
        Breakpoints.Refresh();
        Data.Checks = (checksAlignment ? AccessChecks.Alignment : AccessChecks.None)
            | (Breakpoints.WatchesData ? AccessChecks.Breakpoints : AccessChecks.None);
        AccessMode mode = System.Cpl == 3 ? AccessMode.User
            : (_s->SystemFlags & (ulong)RFlags.AlignmentCheck) != 0 ? AccessMode.SupervisorWithAc
            : AccessMode.Supervisor;
        Data.Mode = mode;
        _s->ReadSlots = (Data.Checks == AccessChecks.None ? _filter : _emptyFilter).DataTable(mode);
        _s->WriteSlots = _s->ReadSlots + _filter.Slots;
        _s->FetchSlots = _filter.FetchTable(mode);
        var codeMode = CodeMode.Of(System, (RFlags)_s->SystemFlags);
        if (!codeMode.IsLong64 || _mode != codeMode)
            SegmentsChanged(codeMode);
    }

    // Recomputes what accesses outside 64-bit mode read of segment registers.
    private void SegmentsChanged(CodeMode mode)
    {
        ProcessorMode processor = mode.Processor;
        bool isLong = mode.IsLong64;
        _s->AbsentAddressBits = isLong ? 0 : ~(ulong)uint.MaxValue;
        _s->StackMask = isLong ? ulong.MaxValue : mode.HasStack32 ? uint.MaxValue : ushort.MaxValue;
        _s->Segments[SegmentWindows.Es] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Es, System.Es.Base, processor);
        _s->Segments[SegmentWindows.Cs] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Cs, System.Cs.Base, processor);
        _s->Segments[SegmentWindows.Ss] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Ss, System.Ss.Base, processor);
        _s->Segments[SegmentWindows.Ds] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Ds, System.Ds.Base, processor);
        _s->Segments[SegmentWindows.Fs] = isLong ? SegmentWindow.Long64(Registers.FsBase) : SegmentWindow.Of(System.Fs, Registers.FsBase, processor);
        _s->Segments[SegmentWindows.Gs] = isLong ? SegmentWindow.Long64(Registers.GsBase) : SegmentWindow.Of(System.Gs, Registers.GsBase, processor);
        ulong codeBase = isLong ? 0 : System.Cs.Base;

        // At 4 GiB code wraps around, as data does.
        ulong codeLimit = isLong || System.Cs.Limit == uint.MaxValue ? ulong.MaxValue : System.Cs.Limit;
        bool isOtherCode = mode != _mode || codeBase != _s->CodeBase || codeLimit != _s->CodeLimit;
        _mode = mode;
        _s->CodeBase = codeBase;
        _s->CodeLimit = codeLimit;
        if (!isOtherCode)
            return;

        // The filter's fetch slots lead to code of another mode, or past another limit.
        Mmu.SetContext(Mmu.Context);
        _s->Attention = 1;
    }

    /// <summary>Clears flags other than the six of arithmetic and AC.</summary>
    internal void ClearSystemFlags(RFlags flags) => _s->SystemFlags &= ~(ulong)flags;

    /// <summary>Sets RFLAGS; where AC changes, accesses change their bank; where VM changes, the mode.</summary>
    internal void SetFlags(RFlags flags)
    {
        RFlags changed = flags ^ (RFlags)_s->SystemFlags;
        Registers.Flags = flags;
        if ((changed & (RFlags.AlignmentCheck | RFlags.Virtual8086)) != 0)
            ModeChanged();
    }

    /// <summary>Runs until a VM exit.</summary>
    /// <param name="instructionLimit">Returns <see cref="VmExitReason.InstructionLimit"/> when <see cref="CpuCounters.Instructions"/> has reached this, exactly.</param>
    public VmExit Run(ulong instructionLimit)
    {
        if (PendingEvent is { } pending)
        {
            PendingEvent = null;
            if (EventDelivery.Deliver(this, pending) is { } exit)
                return exit;
        }

        while (true)
        {
            FoldCounts();
            if (_events is { } events && TakeEvents(events) is { } eventExit)
                return eventExit;
            ShortenHandlers();
            if (Mmu.AttributionIsDue)
                Mmu.Attribute(Counters.DataLookups);
            ulong left = instructionLimit - Counters.Instructions;
            if (instructionLimit <= Counters.Instructions)
                return new VmExit { Reason = VmExitReason.InstructionLimit };

            left = Math.Min(left, InstructionsUntilDeadline);

            // Single steps where fetches must be looked up one by one, and where a whole block might pass a limit.
            BlockKind kind = Mmu.FetchesAreSilent && left > LongestBlock && !RunsSingly ? BlockKind.Chained : BlockKind.SingleStep;
            _chunk = kind == BlockKind.SingleStep ? 0 : (int)Math.Min(PackedCounts.ChunkInstructions, left - LongestBlock);
            _s->Budget = PackedCounts.Budget(_chunk);
            if (RunChunk(kind) is not { } end)
                continue;
            FoldCounts();
            if (_events is null || end.Reason != VmExitReason.Halt)
                return end;
            _isHalted = true;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _code.Dispose();
        _emptyFilter.Dispose();
        _self.Free();
        _stateMemory.Dispose();
    }

    // Ops that never run stay on the list for good, so looking through it at each single step would cost more than the steps.
    private void ShortenHandlers()
    {
        if (Counters.Instructions < _nextShortening)
            return;
        _code.ShortenHandlers();
        _nextShortening = Counters.Instructions + ShorteningInterval;
    }

    // Something may have to happen behind, or before, the next instruction.
    private bool RunsSingly =>
        (_s->SystemFlags & (ulong)(RFlags.Trap | RFlags.Resume)) != 0 || Breakpoints.IsArmed
        || InterruptShadow != InterruptShadow.None || IsNearCodeLimit;

    private bool TrapFlag => (_s->SystemFlags & (ulong)RFlags.Trap) != 0;

    // Fetch lookups made so far, the one of the instruction about to run included.
    private ulong FetchLookupsNow => RetiredNow + Counters.ExtraFetchLookups + _s->CrossPageFetches + 1;

    private ulong RetiredNow => Counters.Instructions + (ulong)(_chunk - PackedCounts.InstructionsLeft(_s->Budget));

    // Runs until the budget of the chunk is used up (null) or a VM exit.
    private VmExit? RunChunk(BlockKind kind)
    {
        nuint patch = 0;
        int patchPage = -1;
        do
        {
            if (Breakpoints.Pending != 0 && InterruptShadow != InterruptShadow.StackSegment)
            {
                // A breakpoint at this instruction, or a VM exit came between the last one and its trap.
                if (DebugTrap() is { } pendingExit)
                    return pendingExit;
                continue;
            }

            // A REP string instruction that stopped between elements goes on: it was fetched already. Attention stays, for its end.
            bool isContinued = _repeat != null;
            if (!isContinued && Breakpoints.WatchesCode && IsAtBreakpoint())
                continue;

            MicroOp* op = isContinued ? _repeat : FindOp(kind);
            _repeat = null;
            Data.DefersDevices = kind == BlockKind.Chained && _events is not null && !_isAtDevice;
            _isAtDevice = false;
            if (op == null)
            {
                if (DeliverFault() is { } exit)
                    return exit;
                patch = 0;
                continue;
            }

            // A link is patched only inside its page and while nothing dropped the block that holds it.
            if (patch != 0 && _s->Attention == 0 && patchPage == _code.LastPage)
                *(MicroOp**)patch = op;
            patch = 0;

            // What its block ran before it was charged when it stopped, and will be again when it ends.
            long budget = _s->Budget;
            if (isContinued)
                budget -= _s->Details[op - _s->Pool].CountsBefore;
            else
                _s->Attention = 0;
            bool wasTrapping = kind == BlockKind.SingleStep && TrapFlag;
            InhibitsSingleStep = false;
            InterruptShadow = InterruptShadow.None;
            _s->SystemFlags &= ~(ulong)RFlags.Resume;
            Flow.Dispatch(_s, op, _s->FlagResult, _s->FlagCarry, _s->FlagAux, budget);
            switch (_s->Leave)
            {
                case LeaveReason.Lookup:
                    break;
                case LeaveReason.Resolve:
                    patch = (nuint)_s->Scratch0;
                    patchPage = (int)_s->Scratch1;
                    break;
                case LeaveReason.Fault when Data.TryTakeDeferred(out MicroOp* deferred):
                    // The op begins anew, now that what ran before it is charged: a device may ask what time it is.
                    _repeat = deferred;
                    _isAtDevice = true;
                    _s->Attention = 1;
                    continue;
                case LeaveReason.Fault:
                    Counters.ExtraFetchLookups++;
                    Data.Faulted();
                    Breakpoints.Pending = 0;
                    if (DeliverFault() is { } faultExit)
                        return faultExit;
                    continue;
                case LeaveReason.Exit when NoteSingleStep(wasTrapping) && RequestedExit.Reason == VmExitReason.Halt:
                    break; // a debug exception ends the halt state at once
                case LeaveReason.Exit:
                    return RequestedExit;
                case LeaveReason.Repeat:
                    _repeat = (MicroOp*)_s->Scratch0;
                    break;
                default:
                    throw new global::System.Diagnostics.UnreachableException();
            }

            if (NoteSingleStep(wasTrapping) && DebugTrap() is { } trapExit)
                return trapExit;
            if (_stopRequested)
            {
                _stopRequested = false;
                AbandonRepeat();
                return new VmExit { Reason = VmExitReason.StopRequested };
            }
        }
        while (_isAtDevice || (!IsEventWindow && (_repeat != null || (_s->Budget >= 0 && kind == BlockKind.Chained && !RunsSingly))));
        return null;
    }

    // An instruction retired, or stopped between elements: true where a debug trap is due.
    private bool NoteSingleStep(bool wasTrapping)
    {
        if (InterruptShadow == InterruptShadow.StackSegment)
            return false;
        if (wasTrapping && !InhibitsSingleStep)
            Breakpoints.Pending |= DebugRegisters.SingleStep;
        return Breakpoints.Pending != 0;
    }

    // #DB between two instructions, or between elements of a string instruction.
    private VmExit? DebugTrap()
    {
        bool isBetweenElements = _repeat != null;
        AbandonRepeat();
        if (IsExceptionLoop())
            return new VmExit { Reason = VmExitReason.ExceptionLoop, Vector = ExceptionVector.Debug };
        return EventDelivery.DebugTrap(this, isBetweenElements);
    }

    // #DB before an instruction, which RF=1 and a stack switch in progress put off.
    private bool IsAtBreakpoint()
    {
        if ((_s->SystemFlags & (ulong)RFlags.Resume) != 0 || InterruptShadow == InterruptShadow.StackSegment)
            return false;
        Breakpoints.Pending = Breakpoints.AtInstruction(LinearInstructionPointer);
        return Breakpoints.Pending != 0;
    }

    // What comes between two elements makes a string instruction be fetched once more, as a fault does.
    private void AbandonRepeat()
    {
        if (_repeat != null)
            Counters.ExtraFetchLookups++;
        _repeat = null;
    }

    // The op at RIP, or null where the fetch faulted.
    private MicroOp* FindOp(BlockKind kind)
    {
        if (!IsWithinCodeLimit(1))
            return null;
        ulong linear = LinearInstructionPointer;
        var page = new LinearAddress(linear & ~0xFFFUL);
        if (!Mmu.TryTranslate(new LinearAddress(linear), AccessKind.Fetch, FetchMode, out Translation translation))
        {
            CountFailedFetch();
            Faults.Raise(Mmu.Fault, ExceptionVector.GeneralProtection);
            return null;
        }

        *Cpu.Registers.Pointer(_s, CpuState.CodePageRegister) = page.Value;
        if (!translation.IsRam)
            return _code.NotRam(linear);
        var form = new BlockForm(kind, _mode);
        uint* entries = _code.Page(translation.Address.Frame, form);
        if (kind == BlockKind.Chained)
        {
            Mmu.EnterCodePage(page, FetchLookupsNow);
            Mmu.OfferFetch(page, FetchMode, (nint)entries);
        }

        uint entry = entries[linear & 0xFFF];
        MicroOp* op = entry != 0 ? _s->Pool + entry : _code.Build(translation.Address, form);
        if (!IsWithinCodeLimit(op != null ? op->Length : 0x1001 - (linear & 0xFFF)))
        {
            Counters.ExtraFetchLookups++;
            return null;
        }

        if (op != null)
            return op;
        op = BuildCrossing(translation.Address, form);
        if (op == null || IsWithinCodeLimit(op->Length))
            return op;
        Counters.ExtraFetchLookups++;
        return null;
    }

    private ulong LinearInstructionPointer => (_s->CodeBase + _s->Rip) & ~_s->AbsentAddressBits;

    // Whether an instruction of this page might reach past the limit of CS: such code is fetched one by one. Never in 64-bit mode.
    private bool IsNearCodeLimit => IsPageNearCodeLimit(0);

    private bool IsPageNearCodeLimit(ulong distance) => _s->CodeLimit != ulong.MaxValue
        && _s->Rip + (0xFFF - (LinearInstructionPointer & 0xFFF)) + distance + LongestInstruction > _s->CodeLimit;

    // Whether the bytes of an instruction are inside CS; #GP(0) where they are not. SDM 3, "Limit Checking".
    private bool IsWithinCodeLimit(ulong length) =>
        _s->Rip + length - 1 <= _s->CodeLimit || Faults.Raise(ExceptionVector.GeneralProtection, 0);

    private AccessMode FetchMode => System.Cpl == 3 ? AccessMode.User : AccessMode.Supervisor;

    /// <summary>The second fetch of a page-crossing instruction whose block is there.</summary>
    internal MicroOp* CrossPage(MicroOp* op)
    {
        Leaving.SetInstructionPointer(_s, *Cpu.Registers.Pointer(_s, CpuState.CodePageRegister) + _s->Details[op - _s->Pool].PageOffset);
        if (!TryTranslateSecondPage(out Translation second))
        {
            _s->Leave = LeaveReason.Fault;
            return null;
        }

        CrossingKey key = _code.CrossingOf(op);
        if (second.IsRam && (ulong)_code.Page(second.Address.Frame, key.Form) == op->Immediate)
            return op + 1;
        return _code.BuildCrossing(key.First, second, key.Form) + 1;
    }

    // The instruction at RIP needs bytes of the next page. Null where that fetch faulted.
    private MicroOp* BuildCrossing(HostPhysicalAddress first, BlockForm form)
    {
        if (!TryTranslateSecondPage(out Translation second))
        {
            Counters.ExtraFetchLookups++;
            return null;
        }

        return _code.BuildCrossing(first, second, form) + 1;
    }

    // A non-canonical address never reaches the TLBs.
    private void CountFailedFetch()
    {
        if (Mmu.Fault.Failure != TranslationFailure.NonCanonical)
            Counters.ExtraFetchLookups++;
    }

    private bool TryTranslateSecondPage(out Translation second)
    {
        LinearAddress address = new(((LinearInstructionPointer & ~0xFFFUL) + 0x1000) & ~_s->AbsentAddressBits);
        if (!Mmu.TryTranslate(address, AccessKind.Fetch, FetchMode, out second))
        {
            CountFailedFetch();
            return Faults.Raise(Mmu.Fault, ExceptionVector.GeneralProtection);
        }

        Counters.ExtraFetchLookups++;
        if (second.IsRam && Mmu.FetchesAreSilent && !IsPageNearCodeLimit(0x1000))
        {
            Mmu.EnterCodePage(address, FetchLookupsNow);
            Mmu.OfferFetch(address, FetchMode, (nint)_code.Page(second.Address.Frame, new BlockForm(BlockKind.Chained, _mode)));
        }

        return true;
    }

    /// <summary>Runs the managed instruction of an op; see <see cref="SlowPath.ExecuteManaged"/>.</summary>
    internal bool ExecuteManaged(MicroOp* op)
    {
        MicroOpDetail* detail = _s->Details + (op - _s->Pool);
        Leaving.SetInstructionPointer(_s, *Cpu.Registers.Pointer(_s, CpuState.CodePageRegister) + detail->PageOffset);
        _s->Budget += detail->CountsBefore;
        _managedOp = op;
        Instruction* instruction = _code.Instruction(detail->InstructionIndex);
        ulong elements = Counters.RepIterations;
        ManagedOutcome outcome = ((delegate*<Vcpu, in Instruction, ManagedOutcome>)op->Immediate)(this, in *instruction);
        if (elements != Counters.RepIterations && _deadline != ulong.MaxValue)
            NoteEvents(); // elements take time that the chunk does not know of
        switch (outcome)
        {
            case ManagedOutcome.Next:
                Data.ManagedRetired();
                if (_s->Attention == 0)
                    return true;
                goto case ManagedOutcome.EndBlock;
            case ManagedOutcome.EndBlock:
                _s->Rip = (_s->Rip + (ulong)instruction->Length) & ~_s->AbsentAddressBits;
                goto case ManagedOutcome.Branch;
            case ManagedOutcome.Branch:
                Retire();
                _s->Leave = LeaveReason.Lookup;
                return false;
            case ManagedOutcome.Exit:
                _s->Rip = (_s->Rip + (ulong)instruction->Length) & ~_s->AbsentAddressBits;
                Retire();
                _s->Leave = LeaveReason.Exit;
                return false;
            case ManagedOutcome.Refused:
                Data.Faulted();
                InhibitsSingleStep = true;
                Breakpoints.Pending = 0;
                Counters.ExtraFetchLookups++;
                _s->Leave = LeaveReason.Exit;
                return false;
            case ManagedOutcome.Repeat:
                Data.ManagedRetired();
                _s->Scratch0 = (ulong)op;
                _s->Leave = LeaveReason.Repeat;
                return false;
            case ManagedOutcome.Refetch:
                Data.ManagedRetired();
                Counters.ExtraFetchLookups++;
                _s->Leave = LeaveReason.Lookup;
                return false;
            case ManagedOutcome.Fault:
                _s->Leave = LeaveReason.Fault;
                return false;
            default:
                throw new global::System.Diagnostics.UnreachableException();
        }
    }

    /// <summary>
    /// Whether the store just made hit the bytes of the managed instruction in progress. Where it did not, they are guarded again:
    /// a store to other code of their frame dropped the guard.
    /// </summary>
    internal bool OverwroteItself()
    {
        MicroOp* op = _managedOp;
        HostPhysicalAddress first = _code.AddressOf(op);
        uint inFirst = Math.Min(op->Length, 4096 - (uint)(first.Value & 0xFFF));
        if (Data.StoredInto(first, inFirst))
            return true;
        _code.Guard(first, inFirst);
        if (inFirst == op->Length || !_code.TryGetRestOf(op, out HostPhysicalAddress rest))
            return false;
        if (Data.StoredInto(rest, op->Length - inFirst))
            return true;
        _code.Guard(rest, op->Length - inFirst);
        return false;
    }

    private void Retire()
    {
        Data.ManagedRetired();
        _s->Budget += PackedCounts.Of(1, 0, 0, 0);
    }

    // Moves what the packed budget counted into the counters.
    private void FoldCounts()
    {
        long packed = _s->Budget;
        Counters.Instructions += (ulong)(_chunk - PackedCounts.InstructionsLeft(packed));
        Counters.HandlerLoads += (ulong)PackedCounts.Loads(packed);
        Counters.HandlerStores += (ulong)PackedCounts.Stores(packed);
        Counters.HandlerReadModifyWrites += (ulong)PackedCounts.ReadModifyWrites(packed);
        Counters.ExtraFetchLookups += _s->CrossPageFetches;
        _s->CrossPageFetches = 0;
        _chunk = 0;
        _s->Budget = 0;
    }

    // Turns the pending fault into a VM exit or delivers it to the guest.
    private VmExit? DeliverFault()
    {
        PendingFault fault = Faults.Pending;
        switch (fault.Failure)
        {
            case TranslationFailure.EptViolation when VirtualizationException.TryConvert(this, fault.Translation):
                fault = new PendingFault(TranslationFailure.None, ExceptionVector.Virtualization, 0, fault.Translation);
                break;
            case TranslationFailure.EptViolation:
            case TranslationFailure.EptMisconfiguration:
            case TranslationFailure.PageModificationLogFull:
            case TranslationFailure.SubPageMiss:
            case TranslationFailure.SubPageMisconfiguration:
            case TranslationFailure.NestedPageFault:
                return VmExit.FromNested(fault);
            case TranslationFailure.PageFault:
                Counters.PageFaults++;
                break;
            case TranslationFailure.None:
            case TranslationFailure.NonCanonical:
                break;
        }

        if (_configuration.InterceptExceptions)
        {
            return new VmExit
            {
                Reason = VmExitReason.Exception,
                Vector = fault.Vector,
                ErrorCode = fault.ErrorCode,
                Linear = fault.Translation.Linear,
            };
        }

        if (IsExceptionLoop())
            return new VmExit { Reason = VmExitReason.ExceptionLoop, Vector = fault.Vector, ErrorCode = fault.ErrorCode, Linear = fault.Translation.Linear };
        return EventDelivery.DeliverException(this, fault);
    }

    // A handler that faults at its own first instruction, on a stack that is new each time, takes exceptions for ever. No
    // instruction retires, so no limit would end the run and no clock moves: the guest will never do anything else.
    private bool IsExceptionLoop()
    {
        ulong retired = RetiredNow;
        _exceptionsInARow = retired == _retiredAtException ? _exceptionsInARow + 1 : 1;
        _retiredAtException = retired;
        return _exceptionsInARow > MostExceptionsInARow;
    }
}
