using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>PUSH, POP and LEAVE with 64-bit or 16-bit operands.</summary>
internal static unsafe class Stack<TMemory, TWidth>
    where TMemory : struct, IHandlerMemory
    where TWidth : struct, IWidth
{
    private const byte Rsp = 4 * 8;
    private const byte Rbp = 5 * 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PushRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = Registers.Read(s, Rsp) - TWidth.Bytes;
        if (!TMemory.TryPush(s, op, stack, TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Stack<SlowMemory, TWidth>.PushRegister(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, Registers.Read(s, op->Source));
        TMemory.Commit(s);
        *Registers.Pointer(s, Rsp) = stack;
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PushImmediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = Registers.Read(s, Rsp) - TWidth.Bytes;
        if (!TMemory.TryPush(s, op, stack, TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Stack<SlowMemory, TWidth>.PushImmediate(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, op->Immediate);
        TMemory.Commit(s);
        *Registers.Pointer(s, Rsp) = stack;
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PopRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = Registers.Read(s, Rsp);
        if (!TMemory.TryRead(s, op, stack, TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Stack<SlowMemory, TWidth>.PopRegister(s, op, result, carry, aux, budget);
            return;
        }

        // RSP first: POP RSP leaves the value popped.
        ulong value = TWidth.Load(pointer);
        *Registers.Pointer(s, Rsp) = stack + TWidth.Bytes;
        TWidth.SetRegister(s, op->Destination, value);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Leave(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong frame = Registers.Read(s, Rbp);
        if (!TMemory.TryRead(s, op, frame, TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Stack<SlowMemory, TWidth>.Leave(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.SetRegister(s, Rbp, TWidth.Load(pointer));
        *Registers.Pointer(s, Rsp) = frame + TWidth.Bytes;
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}

/// <summary>PUSH of a memory operand.</summary>
internal static unsafe class StackMemory<TMemory, TAddress, TWidth>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
    where TWidth : struct, IWidth
{
    private const byte Rsp = 4 * 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Push(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), TWidth.Bytes, out byte* source))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StackMemory<SlowMemory, TAddress, TWidth>.Push(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TWidth.Load(source);
        ulong stack = Registers.Read(s, Rsp) - TWidth.Bytes;
        if (!TMemory.TryPush(s, op, stack, TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StackMemory<SlowMemory, TAddress, TWidth>.Push(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, value);
        TMemory.Commit(s);
        *Registers.Pointer(s, Rsp) = stack;
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}
