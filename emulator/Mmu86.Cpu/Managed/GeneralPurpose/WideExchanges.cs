using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>CMPXCHG8B and CMPXCHG16B: memory is written whether or not the comparison succeeds. Only ZF changes.</summary>
internal static class WideExchanges
{
    /// <summary>CMPXCHG8B: EDX:EAX with 8 bytes, ECX:EBX into them.</summary>
    public static ManagedOutcome CompareExchange8(Vcpu vcpu, in Instruction instruction)
    {
        RegisterFile registers = vcpu.Registers;
        if (!vcpu.Data.TryBeginModify(Operands.Address(vcpu, instruction, AccessKind.Write), Operands.NonCanonicalVector(instruction), out ulong value))
            return ManagedOutcome.Fault;
        ulong expected = (uint)registers.Rax | (registers.Rdx << 32);
        bool equal = value == expected;
        vcpu.Data.CompleteModify(equal ? (uint)registers.Rbx | (registers.Rcx << 32) : value);
        if (!equal)
        {
            registers.Write(Register.EAX, value);
            registers.Write(Register.EDX, value >> 32);
        }

        SetZero(registers, equal);
        return ManagedOutcome.Next;
    }

    /// <summary>CMPXCHG16B: RDX:RAX with 16 bytes, RCX:RBX into them. #GP(0) unless aligned to 16.</summary>
    public static ManagedOutcome CompareExchange16(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.CompareExchange16)
            return Raise.InvalidOpcode(vcpu);
        RegisterFile registers = vcpu.Registers;
        ulong address = Operands.Address(vcpu, instruction, AccessKind.Write);
        if ((address & 15) != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (!vcpu.Data.TryBeginModify(address, Operands.NonCanonicalVector(instruction), out UInt128 value))
            return ManagedOutcome.Fault;
        var expected = new UInt128(registers.Rdx, registers.Rax);
        bool equal = value == expected;
        vcpu.Data.CompleteModify(equal ? new UInt128(registers.Rcx, registers.Rbx) : value);
        if (!equal)
        {
            registers.Rax = (ulong)value;
            registers.Rdx = (ulong)(value >> 64);
        }

        SetZero(registers, equal);
        return ManagedOutcome.Next;
    }

    private static void SetZero(RegisterFile registers, bool equal) =>
        registers.Flags = (registers.Flags & ~RFlags.Zero) | (equal ? RFlags.Zero : RFlags.None);
}
