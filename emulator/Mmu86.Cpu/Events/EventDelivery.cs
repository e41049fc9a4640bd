using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Delivers exceptions and interrupts through the IDT. SDM 3, "Interrupt and Exception Handling".</summary>
internal static class EventDelivery
{
    /// <summary>Delivers the exception that an instruction raised.</summary>
    /// <returns>A VM exit where delivery ended in one (triple fault, EPT violation); null where the guest's handler runs next.</returns>
    public static VmExit? DeliverException(Vcpu vcpu, in PendingFault fault) =>
        Deliver(vcpu, Accept(vcpu, fault));

    /// <summary>Delivers #DB between two instructions: what <see cref="Breakpoints.Pending"/> says is reported in DR6.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="resume">RF in the RFLAGS pushed: set where a string instruction stopped between elements.</param>
    /// <returns>As <see cref="DeliverException"/>.</returns>
    public static VmExit? DebugTrap(Vcpu vcpu, bool resume)
    {
        DebugRegisters.Report(vcpu.System, vcpu.Breakpoints.Pending);
        vcpu.Breakpoints.Pending = 0;
        if (vcpu.Configuration.InterceptExceptions)
            return new VmExit { Reason = VmExitReason.Exception, Vector = ExceptionVector.Debug };
        EnterDebugHandler(vcpu);
        return Deliver(vcpu, new PendingEvent(EventKind.HardwareException, (byte)ExceptionVector.Debug, 0, vcpu.Registers.Rip, resume));
    }

    /// <summary>Delivers any event: an interrupt, or one whose delivery a VM exit cut short.</summary>
    /// <returns>As <see cref="DeliverException"/>. After an EPT violation the event waits in <see cref="Vcpu.PendingEvent"/>.</returns>
    public static VmExit? Deliver(Vcpu vcpu, PendingEvent pending)
    {
        while (!EventGate.TryEnter(vcpu, pending))
        {
            vcpu.Data.Faulted();
            PendingFault fault = vcpu.Faults.Pending;
            bool isShadowed = fault.Failure == TranslationFailure.PageFault && vcpu.ShadowsPaging;
            if (fault.Failure.IsVmExit() || isShadowed)
            {
                // Nothing has changed but memory below the stack: the next entry begins this event anew.
                vcpu.PendingEvent = pending;
                return isShadowed ? VmExit.FromPageFault(fault.Translation, vcpu.Mmu.FaultMode) : VmExit.FromNested(fault);
            }

            if (fault.Failure == TranslationFailure.PageFault)
                vcpu.Counters.PageFaults++;
            if (!TryCombine(vcpu, pending, fault, out pending))
                return new VmExit { Reason = VmExitReason.TripleFault };
        }

        vcpu.Data.ManagedRetired();
        return null;
    }

    /// <summary>Makes a page fault that a hypervisor looked at first the event that the next run begins with.</summary>
    /// <returns>A triple fault where it was met while a double fault was delivered; else null.</returns>
    public static VmExit? Inject(Vcpu vcpu, in PendingFault fault)
    {
        if (vcpu.PendingEvent is not { } first)
        {
            vcpu.PendingEvent = Accept(vcpu, fault);
            return null;
        }

        vcpu.PendingEvent = null;
        if (!TryCombine(vcpu, first, fault, out PendingEvent combined))
            return new VmExit { Reason = VmExitReason.TripleFault };
        vcpu.PendingEvent = combined;
        return null;
    }

    // What is delivered next where an event met a fault on its way; false for a shutdown.
    private static bool TryCombine(Vcpu vcpu, in PendingEvent pending, in PendingFault fault, out PendingEvent next)
    {
        FaultClass first = FaultClasses.Of(pending);
        PendingEvent second = Accept(vcpu, fault);
        next = FaultClasses.IsDoubleFault(first, FaultClasses.Of(second))
            ? PendingEvent.Fault(ExceptionVector.DoubleFault, 0, vcpu.Registers.Rip)
            : second;
        return first != FaultClass.DoubleFault;
    }

    // What an exception does before its handler is looked for.
    private static PendingEvent Accept(Vcpu vcpu, in PendingFault fault)
    {
        if (fault.Failure == TranslationFailure.PageFault)
        {
            vcpu.System.Cr2 = fault.Translation.Linear.Value;
            vcpu.Mmu.InvalidateAfterPageFault(fault.Translation.Linear);
        }
        else if (fault.Vector == ExceptionVector.Debug)
        {
            EnterDebugHandler(vcpu);
        }

        return PendingEvent.Fault(fault.Vector, fault.ErrorCode, vcpu.Registers.Rip);
    }

    // The handler may use the debug registers again. SDM 3, "Debug Control Register (DR7)".
    private static void EnterDebugHandler(Vcpu vcpu) => vcpu.System.Dr7 &= ~DebugRegisters.GeneralDetect;
}
