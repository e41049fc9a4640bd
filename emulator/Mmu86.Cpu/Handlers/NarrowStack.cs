using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>The stack outside 64-bit mode: SP or ESP by SS.B, in SS. SDM 1, "Address-Size Attributes for Stack".</summary>
internal static unsafe class NarrowStack
{
    private const byte Rsp = 4 * 8;

    /// <summary>The stack pointer moved by so many bytes; it wraps at its own width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Moved(CpuState* s, ulong distance) => (Registers.Read(s, Rsp) + distance) & s->StackMask;

    /// <summary>Sets the stack pointer: SP leaves the rest of ESP alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(CpuState* s, ulong offset) =>
        *Registers.Pointer(s, Rsp) = (Registers.Read(s, Rsp) & ~s->StackMask & uint.MaxValue) | offset;
}

/// <summary>PUSH and POP of general-purpose registers and PUSH of immediates outside 64-bit mode.</summary>
internal static unsafe class NarrowStack<TMemory, TWidth>
    where TMemory : struct, IHandlerMemory
    where TWidth : struct, IWidth
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PushRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = NarrowStack.Moved(s, 0UL - TWidth.Bytes);
        if (!TMemory.TryPush(s, op, Segmentation.Linear(s, SegmentWindows.Ss, stack, TWidth.Bytes, AccessKind.Write), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                NarrowStack<SlowMemory, TWidth>.PushRegister(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, Registers.Read(s, op->Source));
        TMemory.Commit(s);
        NarrowStack.Set(s, stack);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PushImmediate(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = NarrowStack.Moved(s, 0UL - TWidth.Bytes);
        if (!TMemory.TryPush(s, op, Segmentation.Linear(s, SegmentWindows.Ss, stack, TWidth.Bytes, AccessKind.Write), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                NarrowStack<SlowMemory, TWidth>.PushImmediate(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, op->Immediate);
        TMemory.Commit(s);
        NarrowStack.Set(s, stack);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PopRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = NarrowStack.Moved(s, 0);
        if (!TMemory.TryRead(s, op, Segmentation.Linear(s, SegmentWindows.Ss, stack, TWidth.Bytes, AccessKind.Read), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                NarrowStack<SlowMemory, TWidth>.PopRegister(s, op, result, carry, aux, budget);
            return;
        }

        // ESP first: POP ESP leaves the value popped.
        ulong value = TWidth.Load(pointer);
        NarrowStack.Set(s, NarrowStack.Moved(s, TWidth.Bytes));
        TWidth.SetRegister(s, op->Destination, value);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }
}
