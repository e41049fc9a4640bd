using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>INT n, INTO, INT3 and INT1. SDM 2, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure".</summary>
internal static class SoftwareInterrupts
{
    /// <summary>INT n.</summary>
    public static ManagedOutcome Interrupt(Vcpu vcpu, in Instruction instruction)
    {
        byte vector = instruction.Immediate8;
        if (vcpu.Mode == ProcessorMode.Virtual8086)
            return InterruptOfTask(vcpu, instruction, vector);

        // Without a guest kernel there is no IDT: every gate is one that the program may not use.
        return vcpu.Configuration.InterceptExceptions
            ? Raise.GeneralProtection(vcpu, ((uint)vector << 3) | EventGate.InIdt)
            : Enter(vcpu, instruction, EventKind.SoftwareInterrupt, vector);
    }

    /// <summary>INTO: #OF behind it where OF is set.</summary>
    public static ManagedOutcome Overflow(Vcpu vcpu, in Instruction instruction) => (vcpu.Registers.Flags & RFlags.Overflow) == 0
        ? ManagedOutcome.Next
        : TrapOrEnter(vcpu, instruction, EventKind.SoftwareException, ExceptionVector.Overflow);

    /// <summary>INT3.</summary>
    public static ManagedOutcome Breakpoint(Vcpu vcpu, in Instruction instruction) =>
        TrapOrEnter(vcpu, instruction, EventKind.SoftwareException, ExceptionVector.Breakpoint);

    /// <summary>INT1.</summary>
    public static ManagedOutcome Debug(Vcpu vcpu, in Instruction instruction) =>
        TrapOrEnter(vcpu, instruction, EventKind.PrivilegedSoftwareException, ExceptionVector.Debug);

    // With CR4.VME=1 the TSS says which vectors are the task's own. SDM 3, "Software Interrupt Handling in Virtual-8086 Mode".
    private static ManagedOutcome InterruptOfTask(Vcpu vcpu, in Instruction instruction, byte vector)
    {
        if (Virtual8086.HasExtensions(vcpu))
        {
            if (!TaskState.TryReadRedirection(vcpu, vector, out bool isRedirected))
                return ManagedOutcome.Fault;
            if (isRedirected)
                return Virtual8086.Redirect(vcpu, instruction, vector);
        }

        return Virtual8086.IsBelowIoPrivilege(vcpu)
            ? Raise.GeneralProtection(vcpu, 0)
            : Enter(vcpu, instruction, EventKind.SoftwareInterrupt, vector);
    }

    private static ManagedOutcome TrapOrEnter(Vcpu vcpu, in Instruction instruction, EventKind kind, ExceptionVector vector)
    {
        if (!vcpu.Configuration.InterceptExceptions)
            return Enter(vcpu, instruction, kind, (byte)vector);
        vcpu.RequestedExit = new VmExit { Reason = VmExitReason.Exception, Vector = vector };
        return ManagedOutcome.Exit;
    }

    // A fault while the gate is taken is a fault of the instruction: being benign, it makes no double fault, and after a VM exit the
    // instruction simply runs again.
    private static ManagedOutcome Enter(Vcpu vcpu, in Instruction instruction, EventKind kind, byte vector)
    {
        ulong next = FarTransfers.Next(vcpu, instruction);
        if (!EventGate.TryEnter(vcpu, new PendingEvent(kind, vector, 0, next, Resume: false)))
            return ManagedOutcome.Fault;

        // TF is clear now: the handler is not stepped through.
        vcpu.InhibitsSingleStep = true;
        return ManagedOutcome.Branch;
    }
}
