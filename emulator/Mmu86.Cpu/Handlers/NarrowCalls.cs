using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>Where a near CALL of 16- or 32-bit code leads.</summary>
internal unsafe interface INarrowTarget
{
    /// <summary>The target, as an offset in CS.</summary>
    static abstract ulong Of(CpuState* s, MicroOp* op);
}

/// <summary>CALL with a displacement.</summary>
internal readonly unsafe struct RelativeTarget : INarrowTarget
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(CpuState* s, MicroOp* op) => NarrowBranches.Target(s, op);
}

/// <summary>CALL through a register.</summary>
internal readonly unsafe struct RegisterTarget : INarrowTarget
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(CpuState* s, MicroOp* op) => NarrowBranches.Truncate(op, Registers.Read(s, op->Source));
}

/// <summary>Near CALL of 16- and 32-bit code.</summary>
internal static unsafe class NarrowCall<TMemory, TWidth, TTarget>
    where TMemory : struct, IHandlerMemory
    where TWidth : struct, IWidth
    where TTarget : struct, INarrowTarget
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Call(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong target = TTarget.Of(s, op);
        ulong stack = NarrowStack.Moved(s, 0UL - TWidth.Bytes);
        if (!TMemory.TryPush(s, op, Segmentation.Linear(s, SegmentWindows.Ss, stack, TWidth.Bytes, AccessKind.Write), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                NarrowCall<SlowMemory, TWidth, TTarget>.Call(s, op, result, carry, aux, budget);
            return;
        }

        // Behind the push, as processors do; the slow side counts the lookup of an attempt that faults.
        if (target > s->CodeLimit)
        {
            if (TMemory.IsSlow)
                Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
            else
                NarrowCall<SlowMemory, TWidth, TTarget>.Call(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(pointer, NarrowBranches.Next(s, op));
        TMemory.Commit(s);
        NarrowStack.Set(s, stack);
        Calls<TMemory>.Arrive(s, op, (uint)(s->CodeBase + target), result, carry, aux, budget);
    }
}

/// <summary>Near RET of 16- and 32-bit code.</summary>
internal static unsafe class NarrowReturn<TMemory, TWidth>
    where TMemory : struct, IHandlerMemory
    where TWidth : struct, IWidth
{
    /// <summary>RET; Extra is the number of further bytes to pop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Return(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = NarrowStack.Moved(s, 0);
        if (!TMemory.TryRead(s, op, Segmentation.Linear(s, SegmentWindows.Ss, stack, TWidth.Bytes, AccessKind.Read), TWidth.Bytes, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                NarrowReturn<SlowMemory, TWidth>.Return(s, op, result, carry, aux, budget);
            return;
        }

        ulong target = TWidth.Load(pointer);
        if (target > s->CodeLimit)
        {
            // The block does not count an attempt that faults, the slow side counts its lookup.
            if (TMemory.IsSlow)
                Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
            else
                NarrowReturn<SlowMemory, TWidth>.Return(s, op, result, carry, aux, budget);
            return;
        }

        NarrowStack.Set(s, NarrowStack.Moved(s, TWidth.Bytes + op->Extra));
        Calls<TMemory>.Arrive(s, op, (uint)(s->CodeBase + target), result, carry, aux, budget);
    }
}
