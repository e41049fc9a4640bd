using System.Numerics;
using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The six status flags, kept as three words that arithmetic leaves behind anyway and that handlers pass in registers.</summary>
/// <remarks>
/// result: the result, sign-extended to 64 bits. ZF = (result == 0).
/// carry:  bit 63 = CF, bit 63 xor bit 62 = OF; the other bits mean nothing.
/// aux:    bit 4 = AF. Bits 63 and 32 are zero after arithmetic; flags loaded from outside (POPF, IRET) may set them to say
///         that SF differs from the sign of the result (bit 63) and PF from the parity of its low byte (bit 32), which
///         arithmetic never produces together with ZF=1.
/// No kind of operation is stored, so conditions need no dispatch on what set the flags.
/// </remarks>
internal static class LazyFlags
{
    private const ulong Top = 1UL << 63;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Carry(ulong carry) => (long)carry < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CarryBit(ulong carry) => carry >> 63;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Overflow(ulong carry) => (long)(carry ^ (carry << 1)) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Zero(ulong result) => result == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Sign(ulong result, ulong aux) => (long)(result ^ aux) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Less(ulong result, ulong carry, ulong aux) => (long)(result ^ aux ^ carry ^ (carry << 1)) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Parity(ulong result, ulong aux)
    {
        // Folding the byte keeps this free of calls; parity is rarely asked for.
        uint folded = (uint)(byte)result ^ (uint)((aux >> 32) & 1);
        folded ^= folded >> 4;
        return ((0x6996u >> (int)(folded & 0xF)) & 1) == 0;
    }

    /// <summary>A carry word with these two flags.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MakeCarry(ulong carryBit, ulong overflowBit) => (carryBit << 63) | ((carryBit ^ overflowBit) << 62);

    /// <summary>The six flags as they stand in RFLAGS.</summary>
    public static ulong Materialize(ulong result, ulong carry, ulong aux)
    {
        ulong flags = CarryBit(carry);
        if (Parity(result, aux))
            flags |= (ulong)RFlags.Parity;
        flags |= aux & (ulong)RFlags.Auxiliary;
        if (Zero(result))
            flags |= (ulong)RFlags.Zero;
        if (Sign(result, aux))
            flags |= (ulong)RFlags.Sign;
        if (Overflow(carry))
            flags |= (ulong)RFlags.Overflow;
        return flags;
    }

    /// <summary>Three words that materialise to the given flags.</summary>
    public static void Load(ulong rflags, out ulong result, out ulong carry, out ulong aux)
    {
        bool zero = (rflags & (ulong)RFlags.Zero) != 0;
        bool sign = (rflags & (ulong)RFlags.Sign) != 0;
        bool parity = (rflags & (ulong)RFlags.Parity) != 0;
        result = zero ? 0 : sign ? Top | 0x100 : 0x100;
        aux = rflags & (ulong)RFlags.Auxiliary;
        if (zero && sign)
            aux |= Top;
        if (!parity)
            aux |= 1UL << 32; // both results have a low byte of zero, whose parity is even
        carry = MakeCarry(rflags & 1, (rflags >> 11) & 1);
    }
}
