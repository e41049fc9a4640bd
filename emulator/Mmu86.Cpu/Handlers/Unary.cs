using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Where a unary operation takes its second word from.</summary>
internal unsafe interface IExtra
{
    static abstract ulong Get(CpuState* s, MicroOp* op);
}

/// <summary>The op's constant: a shift count, or nothing.</summary>
internal readonly unsafe struct ConstantExtra : IExtra
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(CpuState* s, MicroOp* op) => op->Extra;
}

/// <summary>CL.</summary>
internal readonly unsafe struct ClExtra : IExtra
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(CpuState* s, MicroOp* op) => *((byte*)s + 8);
}

/// <summary>INC, DEC, NEG, NOT, shifts and rotates.</summary>
internal static unsafe class Unary<TOperation, TWidth, TExtra>
    where TOperation : struct, IUnaryOperation
    where TWidth : struct, IWidth
    where TExtra : struct, IExtra
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = TOperation.Compute<TWidth>(
            TWidth.GetRegister(s, op->Destination), TExtra.Get(s, op), ref result, ref carry, ref aux);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>The same with a memory operand.</summary>
internal static unsafe class UnaryMemory<TMemory, TAddress, TOperation, TWidth, TExtra>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TOperation : struct, IUnaryOperation
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
                UnaryMemory<SlowMemory, TAddress, TOperation, TWidth, TExtra>.Modify(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TOperation.Compute<TWidth>(TWidth.Load(pointer), TExtra.Get(s, op), ref result, ref carry, ref aux);
        TWidth.Store(pointer, value);
        TMemory.Commit(s);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}
