using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>Ops whose work is done by managed code, and the ops that are no instructions of their own.</summary>
internal static unsafe class Managed
{
    /// <summary>An instruction that is not hot: system instructions, strings, far transfers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Execute(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        Leaving.Save(s, result, carry, aux, budget);
        if (SlowPath.ExecuteManaged(s, op))
            Flow.Dispatch(s, op + 1, s->FlagResult, s->FlagCarry, s->FlagAux, budget);
    }

    /// <summary>In front of an instruction that crosses a page: its second fetch. Immediate is the second page's entry table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CrossPage(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong page = Registers.Read(s, CpuState.CodePageRegister) + 0x1000;
        FilterSlot* slot = TranslationFilter.Slot(s->FetchSlots, page, s->SlotOffsetMask);
        if (slot->Tag == FilterSlot.TagOf(page) && slot->Payload == op->Immediate)
        {
            s->CrossPageFetches++;
            Flow.Next(s, op, result, carry, aux, budget);
            return;
        }

        Leaving.Save(s, result, carry, aux, budget);
        MicroOp* next = SlowPath.CrossPage(s, op);
        if (next != null)
            Flow.Dispatch(s, next, result, carry, aux, budget);
    }
}
