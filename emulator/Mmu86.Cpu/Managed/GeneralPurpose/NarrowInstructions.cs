using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Instructions of 16- and 32-bit code that are in no other group: near transfers through memory, BOUND, SALC.</summary>
internal static class NarrowInstructions
{
    /// <summary>Near JMP through memory.</summary>
    public static ManagedOutcome Jump(Vcpu vcpu, in Instruction instruction)
    {
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong target))
            return ManagedOutcome.Fault;
        if (IsOutside(vcpu, target))
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.Registers.Rip = target;
        return ManagedOutcome.Branch;
    }

    /// <summary>Near CALL through memory. A stack that has no room is noticed before a target outside CS, as processors do.</summary>
    public static ManagedOutcome Call(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.MemorySize.GetSize();
        ulong stack = StackAccess.Pointer(vcpu);
        ulong next = vcpu.Registers.Rip + (ulong)instruction.Length;
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong target))
            return ManagedOutcome.Fault;
        if (IsOutside(vcpu, target))
        {
            ulong slot = StackAccess.Address(vcpu, StackAccess.Down(vcpu, stack, size), size, AccessKind.Write);
            return vcpu.Data.TryProbeWrite(slot, (uint)size, vcpu.Data.Mode, ExceptionVector.StackFault)
                ? Raise.GeneralProtection(vcpu, 0)
                : ManagedOutcome.Fault;
        }

        if (!StackAccess.TryPush(vcpu, ref stack, size, next))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        vcpu.Registers.Rip = target;
        return ManagedOutcome.Branch;
    }

    /// <summary>BOUND: #BR where a signed index is outside two bounds in memory.</summary>
    public static ManagedOutcome CheckBounds(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Op0Register.GetSize();
        long index = SignExtend(vcpu.Registers.Read(instruction.Op0Register), size);
        ulong offset = Operands.EffectiveAddress(vcpu, instruction);
        if (!TryReadBound(vcpu, instruction, offset, size, out long lower))
            return ManagedOutcome.Fault;
        if (index < lower)
            return Raise.Exception(vcpu, ExceptionVector.BoundRange, 0);
        if (!TryReadBound(vcpu, instruction, Operands.Truncate(instruction, offset + (ulong)size), size, out long upper))
            return ManagedOutcome.Fault;
        return index > upper ? Raise.Exception(vcpu, ExceptionVector.BoundRange, 0) : ManagedOutcome.Next;
    }

    /// <summary>SALC: AL becomes FFH or 0 by CF.</summary>
    public static ManagedOutcome SetAlFromCarry(Vcpu vcpu, in Instruction instruction)
    {
        vcpu.Registers.Write(Register.AL, (vcpu.Registers.Flags & RFlags.Carry) != 0 ? 0xFFu : 0u);
        return ManagedOutcome.Next;
    }

    private static unsafe bool IsOutside(Vcpu vcpu, ulong target) => target > vcpu.State->CodeLimit;

    private static bool TryReadBound(Vcpu vcpu, in Instruction instruction, ulong offset, int size, out long bound)
    {
        ulong address = Operands.Address(vcpu, instruction.MemorySegment, offset, size, AccessKind.Read);
        bool isRead = Operands.TryLoad(vcpu, address, size, Operands.IsStackReference(instruction), out ulong value);
        bound = SignExtend(value, size);
        return isRead;
    }

    private static long SignExtend(ulong value, int size) => size == 2 ? (short)value : (int)value;
}
