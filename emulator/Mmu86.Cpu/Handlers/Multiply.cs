using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Mmu86.Cpu;

/// <summary>How a multiplication treats its operands.</summary>
internal interface IMultiplication
{
    /// <summary>The upper half of a 64 by 64 bit product.</summary>
    static abstract ulong High64(ulong a, ulong b);

    /// <summary>Widens a narrower operand to 64 bits.</summary>
    static abstract ulong Widen<TWidth>(ulong value)
        where TWidth : struct, IWidth;

    /// <summary>Whether the upper half is more than the extension of the lower: CF=OF=1. SDM 2, "MUL", "IMUL".</summary>
    static abstract bool Overflows<TWidth>(ulong low, ulong high)
        where TWidth : struct, IWidth;
}

internal readonly struct UnsignedMultiplication : IMultiplication
{
    // The intrinsic returns the upper half: Math.BigMul with its out parameter would take the address of a local.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong High64(ulong a, ulong b) => Bmi2.X64.IsSupported ? Bmi2.X64.MultiplyNoFlags(a, b) : Arithmetic128.UnsignedHigh(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Widen<TWidth>(ulong value)
        where TWidth : struct, IWidth => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Overflows<TWidth>(ulong low, ulong high)
        where TWidth : struct, IWidth => high != 0;
}

internal readonly struct SignedMultiplication : IMultiplication
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong High64(ulong a, ulong b) =>
        UnsignedMultiplication.High64(a, b) - ((ulong)((long)a >> 63) & b) - ((ulong)((long)b >> 63) & a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Widen<TWidth>(ulong value)
        where TWidth : struct, IWidth => TWidth.SignExtend(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Overflows<TWidth>(ulong low, ulong high)
        where TWidth : struct, IWidth => TWidth.SignExtend(high) != (ulong)((long)TWidth.SignExtend(low) >> 63);
}

/// <summary>128-bit arithmetic out of line: locals whose address is taken must not be in a handler.</summary>
internal static unsafe class Arithmetic128
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong UnsignedHigh(ulong a, ulong b) => Math.BigMul(a, b, out _);

    /// <summary>Divides 128 by 64 bits; quotient in Scratch0, remainder in Scratch1. The quotient must fit.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void DivideUnsigned(CpuState* s, ulong high, ulong low, ulong divisor)
    {
        var dividend = new UInt128(high, low);
        var quotient = (ulong)(dividend / divisor);
        s->Scratch0 = quotient;
        s->Scratch1 = low - (quotient * divisor);
    }

    /// <summary>Signed division of 128 by 64 bits. False where the quotient does not fit in 64 bits.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool DivideSigned(CpuState* s, ulong high, ulong low, ulong divisor)
    {
        bool negative = (long)high < 0;
        var magnitude = new UInt128(high, low);
        if (negative)
            magnitude = UInt128.Zero - magnitude;
        ulong divisorMagnitude = (long)divisor < 0 ? 0 - divisor : divisor;
        if ((ulong)(magnitude >> 64) >= divisorMagnitude)
            return false;
        var quotient = (ulong)(magnitude / divisorMagnitude);
        var remainder = (ulong)(magnitude - ((UInt128)quotient * divisorMagnitude));
        bool quotientNegative = negative != ((long)divisor < 0);
        if (quotient > (quotientNegative ? 1UL << 63 : long.MaxValue))
            return false;
        s->Scratch0 = quotientNegative ? 0 - quotient : quotient;
        s->Scratch1 = negative ? 0 - remainder : remainder;
        return true;
    }
}

/// <summary>MUL and one-operand IMUL: the accumulator times an operand, into the double-width accumulator.</summary>
internal static unsafe class WideMultiply<TOperation, TWidth>
    where TOperation : struct, IMultiplication
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        Compute(s, TWidth.GetRegister(s, op->Source), ref result, ref carry, ref aux);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    // SF, ZF, AF and PF are undefined.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Compute(CpuState* s, ulong factor, ref ulong result, ref ulong carry, ref ulong aux)
    {
        ulong a = TOperation.Widen<TWidth>(TWidth.GetRegister(s, 0));
        ulong b = TOperation.Widen<TWidth>(factor);
        ulong low = a * b;
        ulong high;
        if (TWidth.Bytes == 1)
        {
            W16.SetRegister(s, 0, low);
            high = (byte)(low >> 8);
        }
        else
        {
            high = TWidth.Bytes == 8 ? TOperation.High64(a, b) : TWidth.Truncate(low >> ((int)TWidth.Bytes * 8));
            TWidth.SetRegister(s, 0, low);
            TWidth.SetRegister(s, 2 * 8, high);
        }

        result = TWidth.SignExtend(low);
        carry = TOperation.Overflows<TWidth>(TWidth.Truncate(low), high) ? 1UL << 63 : 0;
        aux = 0;
    }
}

/// <summary>The same with a memory operand.</summary>
internal static unsafe class WideMultiplyMemory<TMemory, TAddress, TOperation, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TOperation : struct, IMultiplication
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                WideMultiplyMemory<SlowMemory, TAddress, TOperation, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        WideMultiply<TOperation, TWidth>.Compute(s, TWidth.Load(pointer), ref result, ref carry, ref aux);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}

/// <summary>IMUL with two and three operands: the product truncated to the operand size.</summary>
internal static unsafe class Multiply<TWidth>
    where TWidth : struct, IWidth
{
    /// <summary>Destination times Source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = Compute(TWidth.GetRegister(s, op->Destination), TWidth.GetRegister(s, op->Source), ref result, ref carry, ref aux);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    /// <summary>Source times Immediate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = Compute(TWidth.GetRegister(s, op->Source), op->Immediate, ref result, ref carry, ref aux);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Compute(ulong first, ulong second, ref ulong result, ref ulong carry, ref ulong aux)
    {
        ulong a = TWidth.SignExtend(first);
        ulong b = TWidth.SignExtend(second);
        ulong low = a * b;
        bool overflow = TWidth.Bytes == 8
            ? SignedMultiplication.High64(a, b) != (ulong)((long)low >> 63)
            : TWidth.SignExtend(low) != low;
        result = TWidth.SignExtend(low);
        carry = overflow ? 1UL << 63 : 0;
        aux = 0;
        return low;
    }
}

/// <summary>IMUL with a memory operand.</summary>
internal static unsafe class MultiplyMemory<TMemory, TAddress, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MultiplyMemory<SlowMemory, TAddress, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = Multiply<TWidth>.Compute(TWidth.GetRegister(s, op->Destination), TWidth.Load(pointer), ref result, ref carry, ref aux);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    /// <summary>Memory times Immediate into Destination.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MultiplyMemory<SlowMemory, TAddress, TWidth>.Immediate(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = Multiply<TWidth>.Compute(TWidth.Load(pointer), op->Immediate, ref result, ref carry, ref aux);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}
