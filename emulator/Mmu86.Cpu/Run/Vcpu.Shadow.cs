using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>What a hypervisor with shadow tables does to a virtual CPU between two runs. Only with <see cref="VcpuConfiguration.ShadowsPaging"/>.</content>
public sealed unsafe partial class Vcpu
{
    private ShadowRoot? _shadow;

    /// <summary>Whether a hypervisor keeps shadow tables.</summary>
    internal bool ShadowsPaging => _configuration.ShadowsPaging;

    /// <summary>Whether a hypervisor may load CR3 with a PCID of its own choice: the processor has CR4.PCIDE.</summary>
    public bool HasPcids => (Features.Cr4Bits & Cr4.PcidEnable) != 0;

    /// <summary>From now on the processor walks these tables. Nothing is invalidated: that is the caller's.</summary>
    public void EnterShadow(ShadowRoot root)
    {
        _shadow = root;
        ContextChanged();
    }

    /// <summary>Gives the guest a page fault that was intercepted: its handler runs when the CPU runs next. SDM 3, "Event Injection".</summary>
    /// <param name="linear">Goes to CR2.</param>
    /// <param name="errorCode">What the guest's tables say, not the shadow tables.</param>
    /// <returns>The exit that the fault is in turn, where the guest has no handlers (<see cref="VcpuConfiguration.InterceptExceptions"/>) or delivery ends in one; else null.</returns>
    /// <remarks>Where the fault was met while another event was delivered, the two may become a double fault.</remarks>
    public VmExit? InjectPageFault(LinearAddress linear, PageFaultErrorCode errorCode)
    {
        Counters.PageFaults++;
        var fault = new TranslationFault { Failure = TranslationFailure.PageFault, Linear = linear, ErrorCode = errorCode };
        if (PendingEvent is null && _configuration.InterceptExceptions)
            return VmExit.FromPageFault(fault, default);
        if (PendingEvent is null && IsExceptionLoop())
            return new VmExit { Reason = VmExitReason.ExceptionLoop, Vector = ExceptionVector.PageFault, ErrorCode = (uint)errorCode, Linear = linear };
        return EventDelivery.Inject(this, new PendingFault(TranslationFailure.PageFault, ExceptionVector.PageFault, (uint)errorCode, fault));
    }

    /// <summary>A managed instruction has retired, and the hypervisor is to see it.</summary>
    internal ManagedOutcome ExitBehind(in VmExit exit)
    {
        RequestedExit = exit;
        return ManagedOutcome.Exit;
    }

    /// <summary>The same for a control register.</summary>
    internal ManagedOutcome ExitBehindControlRegister(int register, bool isWrite) =>
        ExitBehind(new VmExit { Reason = VmExitReason.ControlRegisterAccess, ControlRegister = new ControlRegisterAccess(register, isWrite) });

    /// <summary>The same for a write of CR3.</summary>
    internal ManagedOutcome ExitBehindRoot(bool keepsTranslations) => ExitBehind(new VmExit
    {
        Reason = VmExitReason.ControlRegisterAccess,
        ControlRegister = new ControlRegisterAccess(3, IsWrite: true) { KeepsTranslations = keepsTranslations },
    });
}
