using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>The run loop: chunks of blocks between two moments at which something may have to happen.</content>
public sealed unsafe partial class Vcpu
{
    // Near an event ops run singly: a block has at most this many instructions.
    private const int LongestBlock = BlockBuilder.MaximumInstructions;

    private const ulong ShorteningInterval = 100_000;

    private int _chunk;
    private bool _stopRequested;
    private ulong _nextShortening;

    // The op of a REP string instruction that stopped between elements; null where none did.
    private MicroOp* _repeat;

    // The op at _repeat is one that found a device and begins anew.
    private bool _isAtDevice;

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
            if (TakeStop() is { } stop)
                return stop;
        }
        while (_isAtDevice || (!IsEventWindow && (_repeat != null || (_s->Budget >= 0 && kind == BlockKind.Chained && !RunsSingly))));
        return null;
    }

    private VmExit? TakeStop()
    {
        if (!_stopRequested)
            return null;
        _stopRequested = false;
        AbandonRepeat();
        return new VmExit { Reason = VmExitReason.StopRequested };
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
}
