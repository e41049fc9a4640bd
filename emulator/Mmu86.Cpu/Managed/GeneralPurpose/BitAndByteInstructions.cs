using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>XLAT, BSWAP of 16 bits, POPCNT, and bit tests of bit strings in memory.</summary>
internal static class BitAndByteInstructions
{
    private enum Change
    {
        None,
        Set,
        Reset,
        Complement,
    }

    /// <summary>XLAT: AL from the table at RBX.</summary>
    public static ManagedOutcome Translate(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Data.TryRead(Operands.Address(vcpu, instruction), out byte value, Operands.IsStackReference(instruction)))
            return ManagedOutcome.Fault;
        vcpu.Registers.Write(Register.AL, value);
        return ManagedOutcome.Next;
    }

    /// <summary>BSWAP of a 16-bit register: undefined by the manual; parts clear it.</summary>
    public static ManagedOutcome SwapBytes16(Vcpu vcpu, in Instruction instruction)
    {
        vcpu.Registers.Write(instruction.Op0Register, 0);
        return ManagedOutcome.Next;
    }

    /// <summary>POPCNT: ZF by the source, the other status flags cleared.</summary>
    public static ManagedOutcome CountOnes(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.PopulationCount)
            return Raise.InvalidOpcode(vcpu);
        if (!Operands.TryRead(vcpu, instruction, 1, out ulong value))
            return ManagedOutcome.Fault;
        vcpu.Registers.Write(instruction.Op0Register, (ulong)System.Numerics.BitOperations.PopCount(value));
        vcpu.Registers.Flags = (vcpu.Registers.Flags & ~RFlags.Status) | (value == 0 ? RFlags.Zero : RFlags.None);
        return ManagedOutcome.Next;
    }

    /// <summary>BT.</summary>
    public static ManagedOutcome Test(Vcpu vcpu, in Instruction instruction) => Access(vcpu, instruction, Change.None);

    /// <summary>BTS.</summary>
    public static ManagedOutcome Set(Vcpu vcpu, in Instruction instruction) => Access(vcpu, instruction, Change.Set);

    /// <summary>BTR.</summary>
    public static ManagedOutcome Reset(Vcpu vcpu, in Instruction instruction) => Access(vcpu, instruction, Change.Reset);

    /// <summary>BTC.</summary>
    public static ManagedOutcome Complement(Vcpu vcpu, in Instruction instruction) => Access(vcpu, instruction, Change.Complement);

    // The index is signed and reaches beyond the operand. SDM 2, "BT": the operand-size unit that holds the bit is accessed.
    private static ManagedOutcome Access(Vcpu vcpu, in Instruction instruction, Change change)
    {
        int bytes = instruction.Op1Register.GetSize();
        ulong raw = vcpu.Registers.Read(instruction.Op1Register);
        long index = bytes switch { 2 => (short)raw, 4 => (int)raw, _ => (long)raw };
        int bits = bytes * 8;
        long unit = index >> System.Numerics.BitOperations.Log2((uint)bits);
        ulong offset = Operands.Truncate(instruction, Operands.EffectiveAddress(vcpu, instruction) + (ulong)(unit * bytes));
        ulong address = Operands.Address(
            vcpu, instruction.MemorySegment, offset, bytes, change == Change.None ? AccessKind.Read : AccessKind.Write);
        ExceptionVector nonCanonical = Operands.NonCanonicalVector(instruction);
        int bit = (int)(index & (bits - 1));
        return bytes switch
        {
            2 => Access<ushort>(vcpu, address, bit, change, nonCanonical),
            4 => Access<uint>(vcpu, address, bit, change, nonCanonical),
            _ => Access<ulong>(vcpu, address, bit, change, nonCanonical),
        };
    }

    private static ManagedOutcome Access<T>(Vcpu vcpu, ulong address, int bit, Change change, ExceptionVector nonCanonical)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        T value;
        T mask = T.One << bit;
        if (change == Change.None)
        {
            if (!vcpu.Data.TryRead(address, out value, nonCanonical == ExceptionVector.StackFault))
                return ManagedOutcome.Fault;
        }
        else
        {
            if (!vcpu.Data.TryBeginModify(address, nonCanonical, out value))
                return ManagedOutcome.Fault;
            vcpu.Data.CompleteModify(change switch
            {
                Change.Set => value | mask,
                Change.Reset => value & ~mask,
                _ => value ^ mask,
            });
        }

        RFlags carry = (value & mask) != T.Zero ? RFlags.Carry : RFlags.None;
        vcpu.Registers.Flags = (vcpu.Registers.Flags & ~RFlags.Carry) | carry;
        return ManagedOutcome.Next;
    }
}
