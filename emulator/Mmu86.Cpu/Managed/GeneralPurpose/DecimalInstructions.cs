using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>AAA, AAS, AAM, AAD, DAA, DAS: decimal digits, two or one to a byte. SDM 1, "Decimal Arithmetic Instructions".</summary>
/// <remarks>Flags that the manual leaves undefined: OF is cleared by all, the others follow the result.</remarks>
internal static class DecimalInstructions
{
    /// <summary>AAA.</summary>
    public static ManagedOutcome AsciiAdjustAfterAddition(Vcpu vcpu, in Instruction instruction) => AsciiAdjust(vcpu, 0x106);

    /// <summary>AAS.</summary>
    public static ManagedOutcome AsciiAdjustAfterSubtraction(Vcpu vcpu, in Instruction instruction) => AsciiAdjust(vcpu, -0x106);

    /// <summary>AAM: AL in the base of the operand, which must not be zero.</summary>
    public static ManagedOutcome AsciiAdjustAfterMultiplication(Vcpu vcpu, in Instruction instruction)
    {
        int radix = instruction.Immediate8;
        if (radix == 0)
            return Raise.Exception(vcpu, ExceptionVector.DivideError, 0);
        var al = (byte)vcpu.Registers.Rax;
        vcpu.Registers.Write(Register.AX, (ulong)(((al / radix) << 8) | (al % radix)));
        SetFlags(vcpu, (byte)(al % radix), RFlags.None);
        return ManagedOutcome.Next;
    }

    /// <summary>AAD: the number whose digits in the base of the operand are AH and AL.</summary>
    public static ManagedOutcome AsciiAdjustBeforeDivision(Vcpu vcpu, in Instruction instruction)
    {
        ulong ax = vcpu.Registers.Rax;
        var value = (byte)((byte)ax + ((byte)(ax >> 8) * instruction.Immediate8));
        vcpu.Registers.Write(Register.AX, value);
        SetFlags(vcpu, value, RFlags.None);
        return ManagedOutcome.Next;
    }

    /// <summary>DAA.</summary>
    public static ManagedOutcome DecimalAdjustAfterAddition(Vcpu vcpu, in Instruction instruction)
    {
        var al = (byte)vcpu.Registers.Rax;
        RFlags before = vcpu.Registers.Flags;
        RFlags set = RFlags.None;
        int result = al;
        if (NeedsLowAdjustment(al, before))
        {
            result += 6;
            set |= RFlags.Auxiliary;
        }

        if (NeedsHighAdjustment(al, before))
        {
            result += 0x60;
            set |= RFlags.Carry;
        }

        vcpu.Registers.Write(Register.AL, (byte)result);
        SetFlags(vcpu, (byte)result, set);
        return ManagedOutcome.Next;
    }

    /// <summary>DAS.</summary>
    public static ManagedOutcome DecimalAdjustAfterSubtraction(Vcpu vcpu, in Instruction instruction)
    {
        var al = (byte)vcpu.Registers.Rax;
        RFlags before = vcpu.Registers.Flags;
        RFlags set = RFlags.None;
        int result = al;
        if (NeedsLowAdjustment(al, before))
        {
            // A borrow out of the byte is a carry even where the high digit needs no adjustment.
            set |= RFlags.Auxiliary | (before & RFlags.Carry) | (al < 6 ? RFlags.Carry : RFlags.None);
            result -= 6;
        }

        if (NeedsHighAdjustment(al, before))
        {
            result -= 0x60;
            set |= RFlags.Carry;
        }

        vcpu.Registers.Write(Register.AL, (byte)result);
        SetFlags(vcpu, (byte)result, set);
        return ManagedOutcome.Next;
    }

    private static ManagedOutcome AsciiAdjust(Vcpu vcpu, int change)
    {
        ulong ax = (ushort)vcpu.Registers.Rax;
        RFlags set = RFlags.None;
        if (NeedsLowAdjustment((byte)ax, vcpu.Registers.Flags))
        {
            ax += (ulong)change;
            set = RFlags.Auxiliary | RFlags.Carry;
        }

        vcpu.Registers.Write(Register.AX, ax & 0xFF0F);
        SetFlags(vcpu, (byte)(ax & 0xF), set);
        return ManagedOutcome.Next;
    }

    private static bool NeedsLowAdjustment(byte al, RFlags flags) => (al & 0xF) > 9 || (flags & RFlags.Auxiliary) != 0;

    private static bool NeedsHighAdjustment(byte al, RFlags flags) => al > 0x99 || (flags & RFlags.Carry) != 0;

    // SF, ZF and PF by the byte; AF, CF as given.
    private static void SetFlags(Vcpu vcpu, byte value, RFlags set)
    {
        if (value == 0)
            set |= RFlags.Zero;
        if ((value & 0x80) != 0)
            set |= RFlags.Sign;
        if (System.Numerics.BitOperations.PopCount(value) % 2 == 0)
            set |= RFlags.Parity;
        vcpu.Registers.Flags = (vcpu.Registers.Flags & ~RFlags.Status) | set;
    }
}
