using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>Interrupts, NMI and HLT: what comes between two instructions. SDM 3, "Prioritization of Concurrent Events".</content>
public sealed unsafe partial class Vcpu
{
    // A timer that keeps ending without anyone taking its interrupt would keep a halted guest waiting for ever.
    private const int MostIdleDeadlines = 100_000;

    private IProcessorEvents? _events;
    private ulong _deadline = ulong.MaxValue;
    private ulong _idleTicks;
    private bool _eventsAreDue;
    private bool _interruptWaits;
    private bool _isHalted;
    private bool _blocksNonMaskable;

    /// <summary>The virtual clock: it counts what the configured clock counts, and jumps forward while the CPU is halted.</summary>
    public ulong VirtualTime => _configuration.Clock.Read(RetiredNow, Counters.RepIterations) + _idleTicks;

    /// <summary>The interrupt controller; null where there is none.</summary>
    internal IProcessorEvents? Events => _events;

    /// <summary>Whether the instruction in progress should end: a device was accessed, or the run is to stop.</summary>
    internal bool IsLeaveRequested => _stopRequested || _eventsAreDue;

    /// <summary>How many elements a string instruction may do before a timer is due: at least one.</summary>
    internal ulong ElementsUntilDeadline => _deadline == ulong.MaxValue ? ulong.MaxValue
        : _configuration.Clock.IsUniform ? Math.Max(1, _deadline - Math.Min(_deadline, VirtualTime))
        : 1;

    /// <summary>Connects the CPU to its interrupt controller. Before it runs.</summary>
    public void Connect(IProcessorEvents events)
    {
        _events = events;
        _eventsAreDue = true;
    }

    /// <summary>Deadlines or requests may have changed: they are looked at behind the instruction in progress.</summary>
    public void NoteEvents()
    {
        _eventsAreDue = true;
        _s->Attention = 1;
    }

    /// <summary>IRET retired: NMIs are taken again. SDM 3, "Handling Multiple NMIs".</summary>
    internal void UnblockNonMaskable()
    {
        if (!_blocksNonMaskable)
            return;
        _blocksNonMaskable = false;
        NoteEvents();
    }

    private bool InterruptsAreEnabled => (_s->SystemFlags & (ulong)RFlags.InterruptEnable) != 0;

    // Something must be looked at before the next instruction.
    private bool IsEventWindow => _eventsAreDue || (_interruptWaits && InterruptsAreEnabled);

    // Instructions that may run before a timer is due. What the next one costs is not known where the clock counts cycles.
    private ulong InstructionsUntilDeadline => _deadline == ulong.MaxValue ? ulong.MaxValue
        : _configuration.Clock.IsUniform ? _deadline - Math.Min(_deadline - 1, VirtualTime)
        : 1;

    // Between two instructions: timers that are due, then NMI, then an interrupt. A halted CPU waits here for one of them.
    private VmExit? TakeEvents(IProcessorEvents events)
    {
        int idle = 0;
        while (true)
        {
            _eventsAreDue = false;
            _deadline = events.NextDeadline;
            if (VirtualTime >= _deadline)
            {
                events.Advance();
                _deadline = events.NextDeadline;
            }

            // A device that time has brought to what only a stop can do; a halted CPU is halted still when it runs on.
            if (TakeStop() is { } stop)
                return stop;
            _interruptWaits = events.HasInterrupt;
            bool isTrapFirst = Breakpoints.Pending != 0; // a debug trap of the last instruction comes before any interrupt
            if (events.HasNonMaskableInterrupt && !_blocksNonMaskable && !isTrapFirst && InterruptShadow != InterruptShadow.StackSegment)
            {
                events.AcknowledgeNonMaskableInterrupt();
                _blocksNonMaskable = true;
                if (Interrupt(EventKind.NonMaskableInterrupt, (byte)ExceptionVector.NonMaskableInterrupt) is { } exit)
                    return exit;
            }
            else if (_interruptWaits && InterruptsAreEnabled && !isTrapFirst && InterruptShadow == InterruptShadow.None)
            {
                if (Interrupt(EventKind.ExternalInterrupt, events.AcknowledgeInterrupt()) is { } exit)
                    return exit;
            }
            else if (!_isHalted)
            {
                return null;
            }
            else if (!TryIdle(ref idle))
            {
                _isHalted = false;
                return new VmExit { Reason = VmExitReason.Halt };
            }
        }
    }

    // Nothing happens until the next deadline: time jumps there. False where nothing will ever end the halt.
    private bool TryIdle(ref int idle)
    {
        bool canWake = InterruptsAreEnabled && _deadline != ulong.MaxValue && ++idle <= MostIdleDeadlines;
        if (canWake)
            _idleTicks += _deadline - Math.Min(_deadline, VirtualTime);
        return canWake;
    }

    private VmExit? Interrupt(EventKind kind, byte vector)
    {
        bool isBetweenElements = _repeat != null;
        AbandonRepeat();
        _isHalted = false;
        return EventDelivery.Deliver(this, new PendingEvent(kind, vector, 0, _s->Rip, isBetweenElements));
    }
}
