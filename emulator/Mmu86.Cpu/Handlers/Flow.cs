using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>How handlers go on to the next op, and how they return to the run loop.</summary>
/// <remarks>
/// Every handler has the one signature, ends in a call in tail position and is AggressiveOptimization: then the JIT makes the
/// call a jump. An address-taken local, a NoInlining caller or unoptimised code would silently make it a call (HandlerStackTests).
/// </remarks>
internal static unsafe class Flow
{
    /// <summary>Goes on behind a straight-line op of the fast side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Next(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Dispatch(s, op + 1, result, carry, aux, budget);

    /// <summary>Runs an op.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Dispatch(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        ((delegate*<CpuState*, MicroOp*, ulong, ulong, ulong, long, void>)op->Handler)(s, op, result, carry, aux, budget);

    /// <summary>Goes on behind a straight-line op that accessed memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void NextAfter<TMemory>(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
        where TMemory : struct, IHandlerMemory
    {
        if (TMemory.IsSlow)
            Leaving.AfterSlow(s, op, result, carry, aux, budget);
        else
            Dispatch(s, op + 1, result, carry, aux, budget);
    }

    /// <summary>Follows one of the two links of a terminal op, unless the budget is used up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Follow(CpuState* s, MicroOp* op, bool taken, ulong result, ulong carry, ulong aux, long budget)
    {
        var link = (BlockLink*)(op + 1);
        MicroOp* target = taken ? link->Taken : link->Fall;
        budget += link->Counts;
        if (budget < 0)
            Leaving.Before(s, target, result, carry, aux, budget);
        else
            Dispatch(s, target, result, carry, aux, budget);
    }

    /// <summary>As <see cref="Follow"/> for a terminal that accessed memory: after a slow access the link may be stale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FollowAfter<TMemory>(CpuState* s, MicroOp* op, bool taken, ulong result, ulong carry, ulong aux, long budget)
        where TMemory : struct, IHandlerMemory
    {
        if (TMemory.IsSlow)
            Leaving.AfterSlowTerminal(s, taken ? ((BlockLink*)(op + 1))->Taken : ((BlockLink*)(op + 1))->Fall, result, carry, aux, budget + ((BlockLink*)(op + 1))->Counts);
        else
            Follow(s, op, taken, result, carry, aux, budget);
    }

    /// <summary>Goes to any linear address: by the fetch table of the filter to the page's ops, else through the run loop.</summary>
    /// <param name="budget">The whole block already charged.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Jump(CpuState* s, ulong target, ulong result, ulong carry, ulong aux, long budget)
    {
        FilterSlot* slot = TranslationFilter.Slot(s->FetchSlots, target, s->SlotOffsetMask);
        if (slot->Tag == FilterSlot.TagOf(target) && budget >= 0)
        {
            // SAFETY: the payload is the entry table of a live code page; it is dropped from the filter before it is freed.
            uint entry = ((uint*)slot->Payload)[target & 0xFFF];
            if (entry != 0)
            {
                *Registers.Pointer(s, CpuState.CodePageRegister) = target & ~0xFFFUL;
                Dispatch(s, s->Pool + entry, result, carry, aux, budget);
                return;
            }
        }

        Leaving.At(s, target, result, carry, aux, budget);
    }
}
