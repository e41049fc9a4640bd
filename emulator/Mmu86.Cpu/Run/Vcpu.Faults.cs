using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>Faults, debug traps and breakpoints on their way to the guest.</content>
public sealed unsafe partial class Vcpu
{
    // More exceptions than vectors without an instruction between them: some handler was entered many times over.
    private const int MostExceptionsInARow = 10_000;

    private int _exceptionsInARow;
    private ulong _retiredAtException;

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
            case TranslationFailure.PageFault when ShadowsPaging:
                return VmExit.FromPageFault(fault.Translation, Mmu.FaultMode);
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
