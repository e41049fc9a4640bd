using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Jcc by the flags, SETcc and CMOVcc.</summary>
internal static unsafe class Conditional<TCondition>
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Jump(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Flow.Follow(s, op, TCondition.Holds(result, carry, aux), result, carry, aux, budget);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Set(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        *((byte*)s + op->Destination) = TCondition.Holds(result, carry, aux) ? (byte)1 : (byte)0;
        Flow.Next(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Move<TWidth>(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
        where TWidth : struct, IWidth
    {
        // A 32-bit CMOV clears the upper half of its destination even where the condition fails.
        ulong value = TWidth.GetRegister(s, TCondition.Holds(result, carry, aux) ? op->Source : op->Destination);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>SETcc and CMOVcc with a memory operand.</summary>
internal static unsafe class ConditionalMemory<TMemory, TAddress, TCondition>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Set(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, TAddress.Compute(s, op), 1, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                ConditionalMemory<SlowMemory, TAddress, TCondition>.Set(s, op, result, carry, aux, budget);
            return;
        }

        *pointer = TCondition.Holds(result, carry, aux) ? (byte)1 : (byte)0;
        TMemory.Commit(s);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    /// <summary>The load is made whether or not the condition holds. SDM 2, "CMOVcc".</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Move<TWidth>(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
        where TWidth : struct, IWidth
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                ConditionalMemory<SlowMemory, TAddress, TCondition>.Move<TWidth>(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TWidth.Load(pointer);
        if (!TCondition.Holds(result, carry, aux))
            value = TWidth.GetRegister(s, op->Destination);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}

/// <summary>A comparison or arithmetic instruction fused with the Jcc behind it: one dispatch for two instructions.</summary>
internal static unsafe class FusedRegister<TOperation, TWidth, TCondition>
    where TOperation : struct, IAluOperation
    where TWidth : struct, IWidth
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong a = TWidth.GetRegister(s, op->Destination);
        ulong b = TWidth.GetRegister(s, op->Source);
        ulong value = TOperation.Compute<TWidth>(a, b, ref result, ref carry, ref aux);
        if (TOperation.Writes)
            TWidth.SetRegister(s, op->Destination, value);
        Flow.Follow(s, op, Fusion.Holds<TOperation, TWidth, TCondition>(a, b, result, carry, aux), result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong a = TWidth.GetRegister(s, op->Destination);
        ulong b = TWidth.Truncate(op->Immediate);
        ulong value = TOperation.Compute<TWidth>(a, b, ref result, ref carry, ref aux);
        if (TOperation.Writes)
            TWidth.SetRegister(s, op->Destination, value);
        Flow.Follow(s, op, Fusion.Holds<TOperation, TWidth, TCondition>(a, b, result, carry, aux), result, carry, aux, budget);
    }
}

/// <summary>CMP and TEST with a memory operand, fused with the Jcc behind.</summary>
internal static unsafe class FusedMemory<TMemory, TAddress, TOperation, TWidth, TCondition>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TOperation : struct, IAluOperation
    where TWidth : struct, IWidth
    where TCondition : struct, ICondition
{
    /// <summary>Register with memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                FusedMemory<SlowMemory, TAddress, TOperation, TWidth, TCondition>.Load(s, op, result, carry, aux, budget);
            return;
        }

        ulong a = TWidth.GetRegister(s, op->Destination);
        ulong b = TWidth.Load(pointer);
        _ = TOperation.Compute<TWidth>(a, b, ref result, ref carry, ref aux);
        Flow.FollowAfter<TMemory>(s, op, Fusion.Holds<TOperation, TWidth, TCondition>(a, b, result, carry, aux), result, carry, aux, budget);
    }

    /// <summary>Memory with register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                FusedMemory<SlowMemory, TAddress, TOperation, TWidth, TCondition>.Register(s, op, result, carry, aux, budget);
            return;
        }

        ulong a = TWidth.Load(pointer);
        ulong b = TWidth.GetRegister(s, op->Source);
        _ = TOperation.Compute<TWidth>(a, b, ref result, ref carry, ref aux);
        Flow.FollowAfter<TMemory>(s, op, Fusion.Holds<TOperation, TWidth, TCondition>(a, b, result, carry, aux), result, carry, aux, budget);
    }

    /// <summary>Memory with immediate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Immediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                FusedMemory<SlowMemory, TAddress, TOperation, TWidth, TCondition>.Immediate(s, op, result, carry, aux, budget);
            return;
        }

        ulong a = TWidth.Load(pointer);
        ulong b = TWidth.Truncate(op->Immediate);
        _ = TOperation.Compute<TWidth>(a, b, ref result, ref carry, ref aux);
        Flow.FollowAfter<TMemory>(s, op, Fusion.Holds<TOperation, TWidth, TCondition>(a, b, result, carry, aux), result, carry, aux, budget);
    }
}

/// <summary>INC and DEC of a register fused with the Jcc behind.</summary>
internal static unsafe class FusedUnary<TOperation, TWidth, TCondition>
    where TOperation : struct, IUnaryOperation
    where TWidth : struct, IWidth
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong value = TOperation.Compute<TWidth>(TWidth.GetRegister(s, op->Destination), 0, ref result, ref carry, ref aux);
        TWidth.SetRegister(s, op->Destination, value);
        Flow.Follow(s, op, TCondition.Holds(result, carry, aux), result, carry, aux, budget);
    }
}

/// <summary>Which way a fused comparison asks for its condition.</summary>
internal static class Fusion
{
    /// <summary>For CMP and SUB the operands tell directly; the rest asks the flag words just made.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds<TOperation, TWidth, TCondition>(ulong a, ulong b, ulong result, ulong carry, ulong aux)
        where TOperation : struct, IAluOperation
        where TWidth : struct, IWidth
        where TCondition : struct, ICondition =>
        typeof(TOperation) == typeof(Cmp) || typeof(TOperation) == typeof(Sub)
            ? TCondition.HoldsForCompare(TWidth.SignExtend(a), TWidth.SignExtend(b), result, carry, aux)
            : TCondition.Holds(result, carry, aux);
}
