using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>POP to memory and ENTER.</summary>
internal static class StackInstructions
{
    // SDM 2, "ENTER": the nesting level is taken modulo 32.
    private const int NestingLevels = 32;

    /// <summary>POP to memory: RSP has moved when the operand's address is computed. SDM 2, "POP".</summary>
    public static ManagedOutcome PopToMemory(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.StackPointerIncrement;
        ulong stack = vcpu.Registers.Rsp;
        if (!Operands.TryLoad(vcpu, stack, size, isStack: true, out ulong value))
            return ManagedOutcome.Fault;
        vcpu.Registers.Rsp = stack + (ulong)size;
        if (Operands.TryWrite(vcpu, instruction, 0, value))
            return ManagedOutcome.Next;
        vcpu.Registers.Rsp = stack;
        return ManagedOutcome.Fault;
    }

    /// <summary>ENTER: pushes RBP and the frame pointers of the enclosing levels, then makes room. SDM 2, "ENTER".</summary>
    public static ManagedOutcome Enter(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code == Code.Enterw_imm16_imm8 ? 2 : 8;
        int level = instruction.Immediate8_2nd % NestingLevels;
        ulong frame = vcpu.Registers.Rbp;
        ulong stack = vcpu.Registers.Rsp;
        if (!TryPush(vcpu, ref stack, size, frame))
            return ManagedOutcome.Fault;
        ulong newFrame = stack;
        for (int i = 1; i < level; i++)
        {
            if (!Operands.TryLoad(vcpu, frame - (ulong)(i * size), size, isStack: true, out ulong outer) || !TryPush(vcpu, ref stack, size, outer))
                return ManagedOutcome.Fault;
        }

        if (level > 0 && !TryPush(vcpu, ref stack, size, newFrame))
            return ManagedOutcome.Fault;
        stack -= instruction.Immediate16;

        // The manual checks that the new top could be written; memory below may hold the pushes of an attempt that faulted here.
        if (!vcpu.Data.TryTouch(stack, Paging.AccessKind.Write, X86.ExceptionVector.StackFault))
            return ManagedOutcome.Fault;
        vcpu.Registers.Write(size == 2 ? Register.BP : Register.RBP, newFrame);
        vcpu.Registers.Rsp = stack;
        return ManagedOutcome.Next;
    }

    private static bool TryPush(Vcpu vcpu, ref ulong stack, int size, ulong value)
    {
        stack -= (ulong)size;
        return Operands.TryStore(vcpu, stack, size, isStack: true, value);
    }
}
