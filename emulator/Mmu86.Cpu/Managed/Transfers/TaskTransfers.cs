using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>JMP, CALL and IRET that switch tasks.</summary>
internal static class TaskTransfers
{
    /// <summary>Far JMP or CALL to a TSS or a task gate. IA-32e mode has neither for it.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="instruction">The instruction.</param>
    /// <param name="selector">Its operand.</param>
    /// <param name="descriptor">A system descriptor that is no call gate.</param>
    /// <param name="cause">Jump or call.</param>
    public static ManagedOutcome Enter(
        Vcpu vcpu, in Instruction instruction, ushort selector, SegmentDescriptor descriptor, TaskSwitchCause cause)
    {
        uint errorCode = Selectors.ErrorCode(selector);
        bool isGate = descriptor.Type == SegmentDescriptor.TaskGate;
        bool isAllowed = !vcpu.Mode.IsLong() && (isGate || descriptor.IsTss)
            && descriptor.Dpl >= Math.Max(Selectors.Rpl(selector), vcpu.System.Cpl);
        if (!isAllowed)
            return Raise.GeneralProtection(vcpu, errorCode);
        if (isGate)
        {
            if (!descriptor.IsPresent)
                return Raise.Exception(vcpu, ExceptionVector.SegmentNotPresent, errorCode);
            selector = descriptor.GateSelector;
        }

        return Switch(vcpu, instruction, selector, cause);
    }

    /// <summary>IRET with NT=1.</summary>
    public static ManagedOutcome Return(Vcpu vcpu, in Instruction instruction)
    {
        SegmentRegister task = vcpu.System.Tr;
        return vcpu.Data.TryReadImplicit(task.Base + TaskLayout.BackLink, out ushort selector)
            ? Switch(vcpu, instruction, selector, TaskSwitchCause.Return)
            : ManagedOutcome.Fault;
    }

    private static ManagedOutcome Switch(Vcpu vcpu, in Instruction instruction, ushort selector, TaskSwitchCause cause)
    {
        bool isEntered = TaskSwitch.TryFind(vcpu, selector, cause, 0, out SegmentDescriptor descriptor)
            && TaskSwitch.TryEnter(
                vcpu, selector, descriptor, cause, (uint)FarTransfers.Next(vcpu, instruction), vcpu.Registers.Flags, 0);
        return isEntered ? ManagedOutcome.Branch : ManagedOutcome.Fault;
    }
}
