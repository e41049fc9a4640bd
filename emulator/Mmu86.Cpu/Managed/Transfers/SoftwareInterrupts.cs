using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>INT n, INT3 and INT1. SDM 2, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure".</summary>
internal static class SoftwareInterrupts
{
    // What a gate that level 3 may not use raises: the vector, and IDT.
    private const uint InIdt = 2;

    /// <summary>INT n.</summary>
    public static ManagedOutcome Interrupt(Vcpu vcpu, in Instruction instruction)
    {
        byte vector = instruction.Immediate8;

        // Without a guest kernel there is no IDT: every gate is one that the program may not use.
        return vcpu.Configuration.InterceptExceptions
            ? Raise.GeneralProtection(vcpu, ((uint)vector << 3) | InIdt)
            : Enter(vcpu, instruction, EventKind.SoftwareInterrupt, vector);
    }

    /// <summary>INT3.</summary>
    public static ManagedOutcome Breakpoint(Vcpu vcpu, in Instruction instruction) =>
        TrapOrEnter(vcpu, instruction, EventKind.SoftwareException, ExceptionVector.Breakpoint);

    /// <summary>INT1.</summary>
    public static ManagedOutcome Debug(Vcpu vcpu, in Instruction instruction) =>
        TrapOrEnter(vcpu, instruction, EventKind.PrivilegedSoftwareException, ExceptionVector.Debug);

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
        ulong next = vcpu.Registers.Rip + (ulong)instruction.Length;
        if (!InterruptGate.TryEnter(vcpu, new PendingEvent(kind, vector, 0, next, Resume: false)))
            return ManagedOutcome.Fault;

        // TF is clear now: the handler is not stepped through.
        vcpu.InhibitsSingleStep = true;
        return ManagedOutcome.Branch;
    }
}
