using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>XADD and CMPXCHG. All virtual CPUs of a machine interleave on one thread, so no host atomics are needed.</summary>
internal static unsafe class Atomics<TWidth>
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ExchangeAddRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong old = TWidth.GetRegister(s, op->Destination);
        ulong sum = Add.Compute<TWidth>(old, TWidth.GetRegister(s, op->Source), ref result, ref carry, ref aux);

        // The sum is written last: XADD of a register with itself leaves the sum.
        TWidth.SetRegister(s, op->Source, old);
        TWidth.SetRegister(s, op->Destination, sum);
        Flow.Next(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CompareExchangeRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong old = TWidth.GetRegister(s, op->Destination);
        ulong expected = TWidth.GetRegister(s, 0);
        _ = Sub.Compute<TWidth>(expected, old, ref result, ref carry, ref aux);
        if (expected == old)
            TWidth.SetRegister(s, op->Destination, TWidth.GetRegister(s, op->Source));
        else
            TWidth.SetRegister(s, 0, old);
        Flow.Next(s, op, result, carry, aux, budget);
    }
}

/// <summary>The same with a memory operand: a write whether or not the comparison succeeds. SDM 2, "CMPXCHG".</summary>
internal static unsafe class AtomicsMemory<TMemory, TAddress, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ExchangeAdd(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                AtomicsMemory<SlowMemory, TAddress, TWidth>.ExchangeAdd(s, op, result, carry, aux, budget);
            return;
        }

        ulong old = TWidth.Load(pointer);
        TWidth.Store(pointer, Add.Compute<TWidth>(old, TWidth.GetRegister(s, op->Source), ref result, ref carry, ref aux));
        TMemory.Commit(s);
        TWidth.SetRegister(s, op->Source, old);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CompareExchange(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                AtomicsMemory<SlowMemory, TAddress, TWidth>.CompareExchange(s, op, result, carry, aux, budget);
            return;
        }

        ulong old = TWidth.Load(pointer);
        ulong expected = TWidth.GetRegister(s, 0);
        _ = Sub.Compute<TWidth>(expected, old, ref result, ref carry, ref aux);
        TWidth.Store(pointer, expected == old ? TWidth.GetRegister(s, op->Source) : old);
        TMemory.Commit(s);
        if (expected != old)
            TWidth.SetRegister(s, 0, old);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}
