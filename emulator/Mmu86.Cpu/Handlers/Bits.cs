using System.Numerics;
using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>What a bit test does to the bit.</summary>
internal interface IBitChange
{
    static abstract bool Writes { get; }

    static abstract ulong Apply(ulong value, ulong bit);
}

internal readonly struct BitKept : IBitChange
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value;
}

internal readonly struct BitSet : IBitChange
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value | bit;
}

internal readonly struct BitReset : IBitChange
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value & ~bit;
}

internal readonly struct BitComplement : IBitChange
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value ^ bit;
}

/// <summary>BT, BTS, BTR, BTC of a register. Only CF changes (ZF is unaffected, OF, SF, AF, PF are undefined and left alone).</summary>
internal static unsafe class BitTest<TChange, TWidth>
    where TChange : struct, IBitChange
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        carry = Change(s, op, (int)TWidth.GetRegister(s, op->Source), carry);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        carry = Change(s, op, (int)op->Immediate, carry);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Change(CpuState* s, MicroOp* op, int index, ulong carry)
    {
        int bit = index & (((int)TWidth.Bytes * 8) - 1);
        ulong value = TWidth.GetRegister(s, op->Destination);
        if (TChange.Writes)
            TWidth.SetRegister(s, op->Destination, TChange.Apply(value, 1UL << bit));
        return BitCarry.Replace(carry, (value >> bit) & 1);
    }
}

/// <summary>BT, BTS, BTR, BTC of memory with an immediate index: the operand itself, not a bit string.</summary>
internal static unsafe class BitTestMemory<TMemory, TAddress, TChange, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TChange : struct, IBitChange
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        byte* pointer;
        ulong address = TAddress.Compute(s, op);
        if (!(TChange.Writes
            ? TMemory.TryWrite(s, op, address, TWidth.Bytes, out pointer)
            : TMemory.TryRead(s, op, address, TWidth.Bytes, out pointer)))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                BitTestMemory<SlowMemory, TAddress, TChange, TWidth>.Immediate(s, op, result, carry, aux, budget);
            return;
        }

        int bit = (int)op->Immediate & (((int)TWidth.Bytes * 8) - 1);
        ulong value = TWidth.Load(pointer);
        carry = BitCarry.Replace(carry, (value >> bit) & 1);
        if (TChange.Writes)
        {
            TWidth.Store(pointer, TChange.Apply(value, 1UL << bit));
            TMemory.Commit(s);
        }

        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}

/// <summary>Changes CF and nothing else.</summary>
internal static class BitCarry
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Replace(ulong carry, ulong bit)
    {
        // Flipping bits 63 and 62 together leaves OF alone.
        ulong flip = LazyFlags.CarryBit(carry) ^ bit;
        return carry ^ (flip << 63) ^ (flip << 62);
    }
}

/// <summary>Which end a bit scan starts from.</summary>
internal interface IBitScan
{
    static abstract ulong Find(ulong value);
}

internal readonly struct ScanForward : IBitScan
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Find(ulong value) => (ulong)BitOperations.TrailingZeroCount(value);
}

internal readonly struct ScanReverse : IBitScan
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Find(ulong value) => (ulong)BitOperations.Log2(value);
}

/// <summary>BSF and BSR. A zero source sets ZF and leaves the destination alone, as every part does; other flags are undefined.</summary>
internal static unsafe class BitScan<TScan, TWidth>
    where TScan : struct, IBitScan
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = TWidth.GetRegister(s, op->Source);
        if (value != 0)
            TWidth.SetRegister(s, op->Destination, TScan.Find(value));
        Flow.Next(s, op, value == 0 ? 0UL : 1UL, 0, 0, budget);
    }
}

/// <summary>BSF and BSR of memory.</summary>
internal static unsafe class BitScanMemory<TMemory, TAddress, TScan, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TScan : struct, IBitScan
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
                BitScanMemory<SlowMemory, TAddress, TScan, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TWidth.Load(pointer);
        if (value != 0)
            TWidth.SetRegister(s, op->Destination, TScan.Find(value));
        Flow.NextAfter<TMemory>(s, op, value == 0 ? 0UL : 1UL, 0, 0, budget);
    }
}

/// <summary>SHLD and SHRD of registers; counts are masked, zero changes nothing. SDM 2, "SHLD", "SHRD".</summary>
internal static unsafe class DoubleShift<TDirection, TWidth, TExtra>
    where TDirection : struct, IDoubleShift
    where TWidth : struct, IWidth
    where TExtra : struct, IExtra
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = TDirection.Compute<TWidth>(
            TWidth.GetRegister(s, op->Destination), TWidth.GetRegister(s, op->Source), TExtra.Get(s, op), ref result, ref carry, ref aux);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>SHLD and SHRD of memory.</summary>
internal static unsafe class DoubleShiftMemory<TMemory, TAddress, TDirection, TWidth, TExtra>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TDirection : struct, IDoubleShift
    where TWidth : struct, IWidth
    where TExtra : struct, IExtra
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Modify(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                DoubleShiftMemory<SlowMemory, TAddress, TDirection, TWidth, TExtra>.Modify(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TDirection.Compute<TWidth>(
            TWidth.Load(pointer), TWidth.GetRegister(s, op->Source), TExtra.Get(s, op), ref result, ref carry, ref aux);
        TWidth.Store(pointer, value);
        TMemory.Commit(s);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}

/// <summary>Direction of a double-precision shift.</summary>
internal interface IDoubleShift
{
    static abstract ulong Compute<TWidth>(ulong a, ulong filler, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth;
}

internal readonly struct ShiftLeftDouble : IDoubleShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong filler, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int count = ShiftCount.Mask<TWidth>(extra);
        int bits = (int)TWidth.Bytes * 8;
        if (count == 0)
            return a;

        // A 16-bit count above 16 is undefined; parts shift the operand in again behind the filler, and so does this.
        if (TWidth.Bytes == 2 && count > 16)
        {
            ulong wide = (a << 32) | (filler << 16) | a;
            ulong wideValue = W16.Truncate((wide << count) >> 32);
            ulong wideOut = (wide >> (48 - count)) & 1;
            result = W16.SignExtend(wideValue);
            carry = LazyFlags.MakeCarry(wideOut, wideOut ^ (wideValue >> 15));
            aux = 0;
            return wideValue;
        }

        ulong value = TWidth.Truncate((a << count) | (filler >> (bits - count)));
        ulong carryOut = (a >> (bits - count)) & 1;
        result = TWidth.SignExtend(value);
        carry = LazyFlags.MakeCarry(carryOut, (value ^ a) >> (bits - 1));
        aux = 0;
        return value;
    }
}

internal readonly struct ShiftRightDouble : IDoubleShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute<TWidth>(ulong a, ulong filler, ulong extra, ref ulong result, ref ulong carry, ref ulong aux)
        where TWidth : struct, IWidth
    {
        int count = ShiftCount.Mask<TWidth>(extra);
        int bits = (int)TWidth.Bytes * 8;
        if (count == 0)
            return a;

        if (TWidth.Bytes == 2 && count > 16)
        {
            ulong wide = (a << 32) | (filler << 16) | a;
            ulong wideValue = W16.Truncate(wide >> count);
            ulong wideOut = (wide >> (count - 1)) & 1;
            result = W16.SignExtend(wideValue);
            carry = LazyFlags.MakeCarry(wideOut, (wideValue ^ (wideValue << 1)) >> 15 & 1);
            aux = 0;
            return wideValue;
        }

        ulong value = TWidth.Truncate((a >> count) | (filler << (bits - count)));
        ulong carryOut = (a >> (count - 1)) & 1;
        result = TWidth.SignExtend(value);
        carry = LazyFlags.MakeCarry(carryOut, (value ^ a) >> (bits - 1));
        aux = 0;
        return value;
    }
}
