using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>PUSH and POP of memory, ENTER, LEAVE, PUSHA and POPA.</summary>
internal static unsafe class StackInstructions
{
    // SDM 2, "ENTER": the nesting level is taken modulo 32.
    private const int NestingLevels = 32;

    // EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI in the order of their encoding.
    private const int AllRegisters = 8;
    private const int StackRegister = 4;
    private const int FrameRegister = 5;

    /// <summary>PUSH of memory outside 64-bit mode.</summary>
    public static ManagedOutcome PushMemory(Vcpu vcpu, in Instruction instruction)
    {
        ulong stack = StackAccess.Pointer(vcpu);
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong value)
            || !StackAccess.TryPush(vcpu, ref stack, -instruction.StackPointerIncrement, value))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        return ManagedOutcome.Next;
    }

    /// <summary>POP to memory: RSP has moved when the operand's address is computed. SDM 2, "POP".</summary>
    public static ManagedOutcome PopToMemory(Vcpu vcpu, in Instruction instruction)
    {
        ulong before = vcpu.Registers.Rsp;
        ulong stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPop(vcpu, ref stack, instruction.StackPointerIncrement, out ulong value))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        if (Operands.TryWrite(vcpu, instruction, 0, value))
            return ManagedOutcome.Next;
        vcpu.Registers.Rsp = before;
        return ManagedOutcome.Fault;
    }

    /// <summary>ENTER: pushes RBP and the frame pointers of the enclosing levels, then makes room. SDM 2, "ENTER".</summary>
    public static ManagedOutcome Enter(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code switch
        {
            Code.Enterw_imm16_imm8 => 2,
            Code.Enterd_imm16_imm8 => 4,
            _ => 8,
        };
        int level = instruction.Immediate8_2nd % NestingLevels;
        ulong frame = vcpu.Registers.Rbp;
        ulong stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPush(vcpu, ref stack, size, frame))
            return ManagedOutcome.Fault;

        // All of ESP, where the stack pointer is SP.
        ulong newFrame = (vcpu.Registers.Rsp & ~vcpu.State->StackMask) | stack;
        for (int i = 1; i < level; i++)
        {
            if (!StackAccess.TryLoad(vcpu, StackAccess.Down(vcpu, frame, i * size), size, out ulong outer)
                || !StackAccess.TryPush(vcpu, ref stack, size, outer))
                return ManagedOutcome.Fault;
        }

        if (level > 0 && !StackAccess.TryPush(vcpu, ref stack, size, newFrame))
            return ManagedOutcome.Fault;
        stack = StackAccess.Down(vcpu, stack, instruction.Immediate16);

        // The manual checks that the new top could be written; memory below may hold the pushes of an attempt that faulted here.
        if (!vcpu.Data.TryTouch(StackAccess.Address(vcpu, stack, 1, AccessKind.Write), AccessKind.Write, ExceptionVector.StackFault))
            return ManagedOutcome.Fault;
        vcpu.Registers.Write(FramePointer(size), newFrame);
        StackAccess.SetPointer(vcpu, stack);
        return ManagedOutcome.Next;
    }

    /// <summary>LEAVE outside 64-bit mode: the frame pointer is as wide as the stack pointer, what is popped as the operand.</summary>
    public static ManagedOutcome Leave(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code == Code.Leavew ? 2 : 4;
        ulong stack = StackAccess.Up(vcpu, vcpu.Registers.Rbp, 0);
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong frame))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        vcpu.Registers.Write(FramePointer(size), frame);
        return ManagedOutcome.Next;
    }

    /// <summary>PUSHA and PUSHAD: eight registers, the stack pointer as it was.</summary>
    public static ManagedOutcome PushAll(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code == Code.Pushaw ? 2 : 4;
        ulong stack = StackAccess.Pointer(vcpu);

        // SDM 2, "PUSHA/PUSHAD": where the pushes would wrap around a 64-KByte segment.
        if (vcpu.Mode is ProcessorMode.Real or ProcessorMode.Virtual8086 && stack is 7 or 9 or 11 or 13 or 15)
            return Raise.GeneralProtection(vcpu, 0);
        for (int i = 0; i < AllRegisters; i++)
        {
            if (!StackAccess.TryPush(vcpu, ref stack, size, vcpu.Registers[i]))
                return ManagedOutcome.Fault;
        }

        StackAccess.SetPointer(vcpu, stack);
        return ManagedOutcome.Next;
    }

    /// <summary>POPA and POPAD: what was pushed as the stack pointer is skipped.</summary>
    public static ManagedOutcome PopAll(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code == Code.Popaw ? 2 : 4;
        Span<ulong> values = stackalloc ulong[AllRegisters];
        ulong stack = StackAccess.Pointer(vcpu);
        for (int i = AllRegisters - 1; i >= 0; i--)
        {
            if (i == StackRegister)
                stack = StackAccess.Up(vcpu, stack, size);
            else if (!StackAccess.TryPop(vcpu, ref stack, size, out values[i]))
                return ManagedOutcome.Fault;
        }

        for (int i = 0; i < AllRegisters; i++)
        {
            if (i != StackRegister)
                vcpu.Registers.Write((size == 2 ? Register.AX : Register.EAX) + i, values[i]);
        }

        StackAccess.SetPointer(vcpu, stack);
        return ManagedOutcome.Next;
    }

    private static Register FramePointer(int size) => FrameRegister + size switch
    {
        2 => Register.AX,
        4 => Register.EAX,
        _ => Register.RAX,
    };
}
