using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>A two-operand operation that sets all status flags.</summary>
internal interface IAluOperation
{
    /// <summary>False for CMP and TEST.</summary>
    static abstract bool Writes { get; }

    /// <summary>Computes the result (zero-extended) and the three flag words from zero-extended operands.</summary>
    static abstract ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth;
}

/// <summary>Flag words of additions and subtractions.</summary>
internal static class Arithmetic
{
    /// <summary>Sets the flag words from operands and result; the result may have a carry or borrow above the width.</summary>
    /// <param name="a">First operand, zero-extended.</param>
    /// <param name="b">Second operand, zero-extended.</param>
    /// <param name="r">Sum or difference computed in 64 bits.</param>
    /// <param name="carryOut64">For 64-bit operands, bit i = carry or borrow out of bit i; not used for narrower ones.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Finish<TWidth>(ulong a, ulong b, ulong r, ulong carryOut64, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        // Bit i of a^b^r is the carry into bit i. In operands narrower than 64 bits the carry out of the top bit is simply the
        // next bit, so one shift brings CF to bit 63 and the carry into the top bit (CF xor OF) to bit 62.
        ulong carryIn = a ^ b ^ r;
        result = TWidth.SignExtend(r);
        aux = (uint)carryIn;
        carry = TWidth.Bytes == 8 ? carryOut64 : carryIn << (63 - ((int)TWidth.Bytes * 8));
        return TWidth.Truncate(r);
    }
}

internal readonly struct Add : IAluOperation
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        ulong r = a + b;
        return Arithmetic.Finish<TWidth>(a, b, r, (a & b) | ((a | b) & ~r), ref result, ref carry, ref aux);
    }
}

internal readonly struct Adc : IAluOperation
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        ulong r = a + b + LazyFlags.CarryBit(carry);
        return Arithmetic.Finish<TWidth>(a, b, r, (a & b) | ((a | b) & ~r), ref result, ref carry, ref aux);
    }
}

internal readonly struct Sub : IAluOperation
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        ulong r = a - b;
        return Arithmetic.Finish<TWidth>(a, b, r, (~a & b) | (~(a ^ b) & r), ref result, ref carry, ref aux);
    }
}

internal readonly struct Sbb : IAluOperation
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        ulong r = a - b - LazyFlags.CarryBit(carry);
        return Arithmetic.Finish<TWidth>(a, b, r, (~a & b) | (~(a ^ b) & r), ref result, ref carry, ref aux);
    }
}

internal readonly struct Cmp : IAluOperation
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth => Sub.Compute<TWidth>(a, b, ref result, ref carry, ref aux);
}

internal readonly struct And : IAluOperation
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth => Logic.Finish<TWidth>(a & b, ref result, ref carry, ref aux);
}

internal readonly struct Test : IAluOperation
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth => Logic.Finish<TWidth>(a & b, ref result, ref carry, ref aux);
}

internal readonly struct Or : IAluOperation
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth => Logic.Finish<TWidth>(a | b, ref result, ref carry, ref aux);
}

internal readonly struct Xor : IAluOperation
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong b, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth => Logic.Finish<TWidth>(a ^ b, ref result, ref carry, ref aux);
}

/// <summary>Flag words of bitwise operations: CF=OF=0; AF is undefined by the manual and cleared, as current parts do.</summary>
internal static class Logic
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Finish<TWidth>(ulong r, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        result = TWidth.SignExtend(r);
        carry = 0;
        aux = 0;
        return r;
    }
}
