using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST on registers.</summary>
internal static unsafe class AluRegister<TOperation, TWidth>
    where TOperation : struct, IAluOperation
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = TOperation.Compute<TWidth>(
            TWidth.GetRegister(s, op->Destination), TWidth.GetRegister(s, op->Source), ref result, ref carry, ref aux);
        if (TOperation.Writes)
            TWidth.SetRegister(s, op->Destination, value);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = TOperation.Compute<TWidth>(
            TWidth.GetRegister(s, op->Destination), TWidth.Truncate(op->Immediate), ref result, ref carry, ref aux);
        if (TOperation.Writes)
            TWidth.SetRegister(s, op->Destination, value);
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>The same operations with a memory operand.</summary>
internal static unsafe class AluMemory<TMemory, TAddress, TOperation, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TOperation : struct, IAluOperation
    where TWidth : struct, IWidth
{
    /// <summary>Register op= memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                AluMemory<SlowMemory, TAddress, TOperation, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TOperation.Compute<TWidth>(
            TWidth.GetRegister(s, op->Destination), TWidth.Load(pointer), ref result, ref carry, ref aux);
        if (TOperation.Writes)
            TWidth.SetRegister(s, op->Destination, value);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    /// <summary>Memory op= register; compares only read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        byte* pointer;
        ulong address = TAddress.Compute(s, op);
        if (!(TOperation.Writes
            ? TMemory.TryWrite(s, op, address, TWidth.Bytes, out pointer)
            : TMemory.TryRead(s, op, address, TWidth.Bytes, out pointer)))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                AluMemory<SlowMemory, TAddress, TOperation, TWidth>.Register(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TOperation.Compute<TWidth>(
            TWidth.Load(pointer), TWidth.GetRegister(s, op->Source), ref result, ref carry, ref aux);
        if (TOperation.Writes)
        {
            TWidth.Store(pointer, value);
            TMemory.Commit(s);
        }

        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    /// <summary>Memory op= immediate; compares only read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        byte* pointer;
        ulong address = TAddress.Compute(s, op);
        if (!(TOperation.Writes
            ? TMemory.TryWrite(s, op, address, TWidth.Bytes, out pointer)
            : TMemory.TryRead(s, op, address, TWidth.Bytes, out pointer)))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                AluMemory<SlowMemory, TAddress, TOperation, TWidth>.Immediate(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TOperation.Compute<TWidth>(
            TWidth.Load(pointer), TWidth.Truncate(op->Immediate), ref result, ref carry, ref aux);
        if (TOperation.Writes)
        {
            TWidth.Store(pointer, value);
            TMemory.Commit(s);
        }

        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}
