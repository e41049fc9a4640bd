using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>MOV between registers and from immediates.</summary>
internal static unsafe class Move<TWidth>
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        TWidth.SetRegister(s, op->Destination, TWidth.GetRegister(s, op->Source));
        Flow.Next(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        TWidth.SetRegister(s, op->Destination, op->Immediate);
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>MOV to and from memory.</summary>
internal static unsafe class MoveMemory<TMemory, TAddress, TWidth>
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
                MoveMemory<SlowMemory, TAddress, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.SetRegister(s, op->Destination, TWidth.Load(pointer));
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MoveMemory<SlowMemory, TAddress, TWidth>.Store(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, TWidth.GetRegister(s, op->Source));
        TMemory.Commit(s);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreImmediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MoveMemory<SlowMemory, TAddress, TWidth>.StoreImmediate(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, op->Immediate);
        TMemory.Commit(s);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    /// <summary>XCHG: a read-modify-write that leaves the old value in the register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exchange(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MoveMemory<SlowMemory, TAddress, TWidth>.Exchange(s, op, result, carry, aux, budget);
            return;
        }

        ulong old = TWidth.Load(pointer);
        TWidth.Store(pointer, TWidth.GetRegister(s, op->Source));
        TMemory.Commit(s);
        TWidth.SetRegister(s, op->Source, old);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}

/// <summary>How a narrow value becomes a wide one.</summary>
internal interface IExtension
{
    static abstract ulong Extend<TFrom>(ulong value)
        where TFrom : struct, IWidth;
}

internal readonly struct ZeroExtension : IExtension
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Extend<TFrom>(ulong value)
        where TFrom : struct, IWidth => value;
}

internal readonly struct SignExtension : IExtension
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Extend<TFrom>(ulong value)
        where TFrom : struct, IWidth => TFrom.SignExtend(value);
}

/// <summary>MOVZX, MOVSX, MOVSXD and the accumulator forms CBW, CWDE, CDQE.</summary>
internal static unsafe class Extend<TFrom, TTo, TExtension>
    where TFrom : struct, IWidth
    where TTo : struct, IWidth
    where TExtension : struct, IExtension
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        TTo.SetRegister(s, op->Destination, TExtension.Extend<TFrom>(TFrom.GetRegister(s, op->Source)));
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>MOVZX, MOVSX and MOVSXD from memory.</summary>
internal static unsafe class ExtendMemory<TMemory, TAddress, TFrom, TTo, TExtension>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TFrom : struct, IWidth
    where TTo : struct, IWidth
    where TExtension : struct, IExtension
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TFrom.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                ExtendMemory<SlowMemory, TAddress, TFrom, TTo, TExtension>.Load(s, op, result, carry, aux, budget);
            return;
        }

        TTo.SetRegister(s, op->Destination, TExtension.Extend<TFrom>(TFrom.Load(pointer)));
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}

/// <summary>LEA: an address without its segment base.</summary>
internal static unsafe class Lea<TAddress, TWidth>
    where TAddress : struct, IAddressForm
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        TWidth.SetRegister(s, op->Destination, TAddress.Compute(s, op));
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>Small register instructions that set no flags.</summary>
internal static unsafe class RegisterMoves
{
    /// <summary>NOP, PREFETCH, ENDBR and fences: nothing to do on one CPU in program order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Nothing(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Flow.Next(s, op, result, carry, aux, budget);

    /// <summary>BSWAP of 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwapBytes64(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong* register = Registers.Pointer(s, op->Destination);
        *register = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(*register);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    /// <summary>BSWAP of 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwapBytes32(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong* register = Registers.Pointer(s, op->Destination);
        *register = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((uint)*register);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    /// <summary>CQO.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SignToDx64(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        *Registers.Pointer(s, 2 * 8) = (ulong)((long)Registers.Read(s, 0) >> 63);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    /// <summary>CDQ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SignToDx32(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        *Registers.Pointer(s, 2 * 8) = (uint)((int)Registers.Read(s, 0) >> 31);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    /// <summary>CWD.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SignToDx16(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        W16.SetRegister(s, 2 * 8, (ulong)((short)Registers.Read(s, 0) >> 15));
        Flow.Next(s, op, result, carry, aux, budget);
    }

    /// <summary>XCHG of two registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exchange<TWidth>(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
        where TWidth : struct, IWidth
    {
        ulong first = TWidth.GetRegister(s, op->Destination);
        ulong second = TWidth.GetRegister(s, op->Source);
        TWidth.SetRegister(s, op->Destination, second);
        TWidth.SetRegister(s, op->Source, first);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    /// <summary>CLC, STC and CMC: Immediate 0, 1 or 2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ChangeCarry(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong wanted = op->Immediate == 2 ? LazyFlags.CarryBit(carry) ^ 1 : op->Immediate;
        ulong flip = LazyFlags.CarryBit(carry) ^ wanted;
        Flow.Next(s, op, result, carry ^ (flip << 63) ^ (flip << 62), aux, budget);
    }

    /// <summary>CLD and STD: Immediate is RFLAGS.DF as it is to be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ChangeDirection(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        s->SystemFlags = (s->SystemFlags & ~(ulong)RFlags.Direction) | op->Immediate;
        Flow.Next(s, op, result, carry, aux, budget);
    }
}
