using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Whether DIV or IDIV.</summary>
internal unsafe interface IDivision
{
    /// <summary>Divides the double-width accumulator; quotient in Scratch0, remainder in Scratch1.</summary>
    /// <returns>False where it raises #DE: a zero divisor, or a quotient that does not fit.</returns>
    static abstract bool TryDivide<TWidth>(CpuState* s, ulong divisor)
        where TWidth : struct, IWidth;
}

internal readonly unsafe struct UnsignedDivision : IDivision
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryDivide<TWidth>(CpuState* s, ulong divisor)
        where TWidth : struct, IWidth
    {
        if (TWidth.Bytes == 8)
        {
            ulong low = Registers.Read(s, 0);
            ulong high = Registers.Read(s, 2 * 8);

            // Compiled code clears RDX first: an ordinary division then.
            if (high == 0)
            {
                if (divisor == 0)
                    return false;
                s->Scratch0 = low / divisor;
                s->Scratch1 = low - (s->Scratch0 * divisor);
                return true;
            }

            if (high >= divisor)
                return false;
            Arithmetic128.DivideUnsigned(s, high, low, divisor);
            return true;
        }

        ulong dividend = Division.Dividend<TWidth>(s);
        if (divisor == 0)
            return false;
        s->Scratch0 = dividend / divisor;
        s->Scratch1 = dividend - (s->Scratch0 * divisor);
        return TWidth.Truncate(s->Scratch0) == s->Scratch0;
    }
}

internal readonly unsafe struct SignedDivision : IDivision
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryDivide<TWidth>(CpuState* s, ulong divisor)
        where TWidth : struct, IWidth
    {
        if (divisor == 0)
            return false;
        if (TWidth.Bytes == 8)
        {
            ulong low = Registers.Read(s, 0);
            ulong high = Registers.Read(s, 2 * 8);

            // CQO came first in compiled code; -1 is left to the general way because of the one overflow.
            if (high == (ulong)((long)low >> 63) && divisor != ulong.MaxValue)
            {
                s->Scratch0 = (ulong)((long)low / (long)divisor);
                s->Scratch1 = low - (s->Scratch0 * divisor);
                return true;
            }

            return Arithmetic128.DivideSigned(s, high, low, divisor);
        }

        // The dividend has at most 64 bits; only the most negative one by -1 could overflow the host's division.
        var dividend = (long)(TWidth.Bytes == 4 ? Division.Dividend<TWidth>(s)
            : TWidth.Bytes == 2 ? W32.SignExtend(Division.Dividend<TWidth>(s)) : W16.SignExtend(Division.Dividend<TWidth>(s)));
        var signedDivisor = (long)TWidth.SignExtend(divisor);
        if (signedDivisor == -1 && dividend == long.MinValue)
            return false;
        long quotient = dividend / signedDivisor;
        s->Scratch0 = (ulong)quotient;
        s->Scratch1 = (ulong)(dividend - (quotient * signedDivisor));
        return TWidth.SignExtend((ulong)quotient) == (ulong)quotient;
    }
}

/// <summary>What DIV and IDIV share.</summary>
internal static unsafe class Division
{
    /// <summary>The double-width accumulator of 8-, 16- and 32-bit divisions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Dividend<TWidth>(CpuState* s)
        where TWidth : struct, IWidth =>
        TWidth.Bytes == 1
            ? W16.GetRegister(s, 0)
            : TWidth.GetRegister(s, 0) | (TWidth.GetRegister(s, 2 * 8) << ((int)TWidth.Bytes * 8));

    /// <summary>Writes quotient and remainder.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deliver<TWidth>(CpuState* s)
        where TWidth : struct, IWidth
    {
        if (TWidth.Bytes == 1)
        {
            W16.SetRegister(s, 0, (byte)s->Scratch0 | (s->Scratch1 << 8));
            return;
        }

        TWidth.SetRegister(s, 0, s->Scratch0);
        TWidth.SetRegister(s, 2 * 8, s->Scratch1);
    }
}

/// <summary>DIV and IDIV by a register. All flags are undefined and left alone.</summary>
internal static unsafe class Divide<TOperation, TWidth>
    where TOperation : struct, IDivision
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TOperation.TryDivide<TWidth>(s, TWidth.GetRegister(s, op->Source)))
        {
            Leaving.DivideError(s, op, result, carry, aux, budget);
            return;
        }

        Division.Deliver<TWidth>(s);
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>DIV and IDIV by memory.</summary>
internal static unsafe class DivideMemory<TMemory, TAddress, TOperation, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TOperation : struct, IDivision
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
                DivideMemory<SlowMemory, TAddress, TOperation, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        if (!TOperation.TryDivide<TWidth>(s, TWidth.Load(pointer)))
        {
            // The block does not count an attempt that faults, the slow side counts its lookup.
            if (TMemory.IsSlow)
                Leaving.DivideError(s, op, result, carry, aux, budget);
            else
                DivideMemory<SlowMemory, TAddress, TOperation, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        Division.Deliver<TWidth>(s);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}
