using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>A one-operand read-modify-write: INC, NEG, shifts by a constant and so on.</summary>
internal interface IUnaryOperation
{
    /// <param name="a">The operand, zero-extended.</param>
    /// <param name="extra">What the op carries: a shift count, for instance.</param>
    static abstract ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth;
}

internal readonly struct Inc : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        ulong before = carry;
        ulong value = Add.Compute<TWidth>(a, 1, ref result, ref carry, ref aux);
        carry = KeepCarry(before, carry);
        return value;
    }

    // OF of the new word, CF of the old one: flipping bits 63 and 62 together leaves OF alone.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong KeepCarry(ulong before, ulong after)
    {
        ulong differs = (before ^ after) & (1UL << 63);
        return after ^ (differs | (differs >> 1));
    }
}

internal readonly struct Dec : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        ulong before = carry;
        ulong value = Sub.Compute<TWidth>(a, 1, ref result, ref carry, ref aux);
        carry = Inc.KeepCarry(before, carry);
        return value;
    }
}

internal readonly struct Neg : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth => Sub.Compute<TWidth>(0, a, ref result, ref carry, ref aux);
}

internal readonly struct Not : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth => TWidth.Truncate(~a);
}

/// <summary>SHL. The count is masked by the caller of the handler where it is constant, here where it is CL.</summary>
internal readonly struct Shl : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int count = ShiftCount.Mask<TWidth>(extra);
        if (count == 0)
            return a;
        int bits = (int)TWidth.Bytes * 8;

        // The bit shifted out last is at position `bits` of the shifted value; for 64 bits it is fetched from the operand.
        ulong shifted = a << count;
        ulong carryBit = TWidth.Bytes == 8 ? (a >> (64 - count)) & 1 : (shifted >> bits) & 1;
        ulong value = TWidth.Truncate(shifted);
        result = TWidth.SignExtend(value);
        carry = LazyFlags.MakeCarry(carryBit, carryBit ^ (value >> (bits - 1)));
        aux = 0;
        return value;
    }
}

internal readonly struct Shr : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int count = ShiftCount.Mask<TWidth>(extra);
        if (count == 0)
            return a;
        ulong value = a >> count;
        result = TWidth.SignExtend(value);

        // OF is the top bit of the original operand (defined for a count of 1 only; parts set it so for every count).
        carry = LazyFlags.MakeCarry((a >> (count - 1)) & 1, ShiftCount.TopBit<TWidth>(a));
        aux = 0;
        return value;
    }
}

internal readonly struct Sar : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int count = ShiftCount.Mask<TWidth>(extra);
        if (count == 0)
            return a;
        long extended = (long)TWidth.SignExtend(a);
        result = (ulong)(extended >> count);
        carry = LazyFlags.MakeCarry((ulong)(extended >> (count - 1)) & 1, 0);
        aux = 0;
        return TWidth.Truncate(result);
    }
}

internal readonly struct Rol : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int masked = ShiftCount.Mask<TWidth>(extra);
        if (masked == 0)
            return a;
        int bits = (int)TWidth.Bytes * 8;
        int count = masked & (bits - 1);
        ulong value = TWidth.Truncate((a << count) | (a >> ((bits - count) & 63)));
        if (count == 0)
            value = a;
        carry = LazyFlags.MakeCarry(value & 1, (value & 1) ^ (value >> (bits - 1)));
        return value;
    }
}

internal readonly struct Ror : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int masked = ShiftCount.Mask<TWidth>(extra);
        if (masked == 0)
            return a;
        int bits = (int)TWidth.Bytes * 8;
        int count = masked & (bits - 1);
        ulong value = TWidth.Truncate((a >> count) | (a << ((bits - count) & 63)));
        if (count == 0)
            value = a;
        ulong top = value >> (bits - 1);
        carry = LazyFlags.MakeCarry(top, top ^ ((value >> (bits - 2)) & 1));
        return value;
    }
}

internal readonly struct Rcl : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int bits = (int)TWidth.Bytes * 8;
        int count = ShiftCount.Mask<TWidth>(extra) % (bits + 1);
        if (count == 0)
            return a;
        ulong carryBit = LazyFlags.CarryBit(carry);

        // Bits from the left: the operand shifted, the carry below it, the operand's top bits at the bottom.
        ulong low = count == 1 ? 0 : a >> (bits + 1 - count);
        ulong value = TWidth.Truncate((count == 64 ? 0 : a << count) | (carryBit << (count - 1)) | low);
        ulong carryOut = (a >> (bits - count)) & 1;
        carry = LazyFlags.MakeCarry(carryOut, carryOut ^ (value >> (bits - 1)));
        return value;
    }
}

internal readonly struct Rcr : IUnaryOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int bits = (int)TWidth.Bytes * 8;
        int count = ShiftCount.Mask<TWidth>(extra) % (bits + 1);
        if (count == 0)
            return a;
        ulong carryBit = LazyFlags.CarryBit(carry);
        ulong high = count == 1 ? 0 : a << (bits + 1 - count);
        ulong value = TWidth.Truncate((count == 64 ? 0 : a >> count) | (carryBit << (bits - count)) | high);
        ulong carryOut = (a >> (count - 1)) & 1;
        carry = LazyFlags.MakeCarry(carryOut, (value >> (bits - 1)) ^ ((value >> (bits - 2)) & 1));
        return value;
    }
}

/// <summary>Shift counts. SDM 2, "SAL/SAR/SHL/SHR": masked to 5 bits, to 6 bits for 64-bit operands.</summary>
internal static class ShiftCount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Mask<TWidth>(ulong count)
        where TWidth : struct, IWidth => (int)count & (TWidth.Bytes == 8 ? 63 : 31);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong TopBit<TWidth>(ulong value)
        where TWidth : struct, IWidth => value >> (((int)TWidth.Bytes * 8) - 1);
}
