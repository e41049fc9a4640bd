using System.Numerics;
using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>One string instruction of one operand size, with a REP, REPE or REPNE prefix or (<see cref="ExecuteOnce"/>) without.</summary>
/// <remarks>
/// An element retires by itself: when the instruction faults at element k, the k elements before it are architecturally done, the
/// registers say so, and they are counted as loads, stores and iterations. Where every further lookup of a page would be a hit that
/// changes nothing (the filter holds the page, or <see cref="IMmu.TryRepeat"/> says so), the elements up to the end of
/// the page are done at memory speed and counted as if looked up; everything else goes element by element through the MMU.
/// </remarks>
internal static unsafe class RepeatedString<TOperation, TWidth, TElement>
    where TOperation : struct, IStringOperation
    where TWidth : struct, IWidth
    where TElement : unmanaged, IBinaryInteger<TElement>
{
    // Elements until the run loop is asked whether something else is due.
    private const ulong ElementsAtATime = 65536;

    // No page begins at an odd address.
    private const ulong NoPage = 1;

    /// <summary>Does elements until the count or the condition ends it, or the run loop is due.</summary>
    public static ManagedOutcome Execute(Vcpu vcpu, in Instruction instruction)
    {
        CpuState* s = vcpu.State;
        var cursor = new StringCursor(s, instruction, sizeof(TElement));
        RepeatCondition condition = instruction.HasRepnePrefix ? RepeatCondition.WhileNotEqual : RepeatCondition.WhileEqual;

        ulong due = Math.Min(cursor.Remaining, vcpu.TrapsBetweenElements ? 1 : ElementsAtATime);
        due = Math.Min(due, vcpu.ElementsUntilDeadline);
        if (due == 0)
            return ManagedOutcome.Next;
        ManagedOutcome outcome = ManagedOutcome.Repeat;
        (ulong Result, ulong Carry, ulong Aux) flags = (s->FlagResult, s->FlagCarry, s->FlagAux);
        ulong start = cursor.Remaining;
        ulong lookedUpSource = NoPage;
        ulong lookedUpDestination = NoPage;
        do
        {
            ulong fit = Fit(cursor, due);
            ulong done = fit == 0 ? 0 : TryRun(vcpu, cursor, fit, condition, lookedUpSource, lookedUpDestination);
            if (done == 0)
            {
                if (!TryElement(vcpu, cursor))
                {
                    outcome = ManagedOutcome.Fault;
                    break;
                }

                vcpu.Data.ManagedRetired();
                done = 1;
                lookedUpSource = fit == 0 ? NoPage : cursor.Source & ~0xFFFUL;
                lookedUpDestination = fit == 0 ? NoPage : cursor.Destination(TOperation.DestinationKind) & ~0xFFFUL;
                if (s->Attention != 0 && TOperation.DestinationKind == AccessKind.Write && vcpu.OverwroteItself())
                    outcome = ManagedOutcome.Refetch;
                if (vcpu.IsLeaveRequested)
                    due = 1;
            }

            due -= done;
            cursor.Advance<TOperation>(done);
            vcpu.Counters.RepIterations += done;
            if (cursor.Remaining == 0 || (TOperation.Compares && !Goes(s, condition)))
                outcome = ManagedOutcome.Next;
        }
        while (due != 0 && outcome == ManagedOutcome.Repeat);

        // A fault finds the flags as they were before the instruction. SDM 2, "REP/REPE/REPZ/REPNE/REPNZ".
        if (TOperation.Compares && outcome == ManagedOutcome.Fault)
            (s->FlagResult, s->FlagCarry, s->FlagAux) = flags;

        // Where nothing was done the registers keep their upper halves with 32-bit addresses too.
        if (cursor.Remaining != start)
        {
            cursor.SavePointers<TOperation>(s);
            cursor.SaveCount(s);
        }

        return outcome;
    }

    /// <summary>Does one element: outside 64-bit mode, where there are no handlers, the instruction without a prefix.</summary>
    public static ManagedOutcome ExecuteOnce(Vcpu vcpu, in Instruction instruction)
    {
        CpuState* s = vcpu.State;
        var cursor = new StringCursor(s, instruction, sizeof(TElement));
        if (!TryElement(vcpu, cursor))
            return ManagedOutcome.Fault;
        cursor.Advance<TOperation>(1);
        cursor.SavePointers<TOperation>(s);
        return ManagedOutcome.Next;
    }

    // One element through the MMU. What the source's segment refuses is #SS where that is SS.
    private static bool TryElement(Vcpu vcpu, in StringCursor cursor)
    {
        ulong source = TOperation.HasSource ? cursor.Source : 0;
        if (TOperation.HasSource && cursor.IsSourceStack && source == Segmentation.Refused)
            return vcpu.Faults.Raise(ExceptionVector.StackFault, 0);
        ulong destination = TOperation.HasDestination ? cursor.Destination(TOperation.DestinationKind) : 0;
        return TOperation.TryElement<TWidth, TElement>(vcpu, source, destination);
    }

    private static bool Goes(CpuState* s, RepeatCondition condition) =>
        LazyFlags.Zero(s->FlagResult) == (condition == RepeatCondition.WhileEqual);

    // How many elements lie before the end of a page, of the source's or the destination's.
    private static ulong Fit(in StringCursor cursor, ulong due)
    {
        ulong fit = due;
        if (TOperation.HasSource)
            fit = Math.Min(fit, cursor.SourceFit(TWidth.Bytes));
        if (TOperation.HasDestination)
            fit = Math.Min(fit, cursor.DestinationFit(TWidth.Bytes, TOperation.DestinationKind));
        return fit;
    }

    // Does elements without looking each up, where that is exact. 0 where it is not.
    private static ulong TryRun(
        Vcpu vcpu, in StringCursor cursor, ulong fit, RepeatCondition condition, ulong lookedUpSource, ulong lookedUpDestination)
    {
        CpuState* s = vcpu.State;
        byte* source = null;
        byte* destination = null;
        ulong done;
        if ((!TOperation.HasSource || TryProbe(s, s->ReadSlots, cursor.Source, out source))
            && (!TOperation.HasDestination
                || TryProbe(s, TOperation.DestinationKind == AccessKind.Write ? s->WriteSlots : s->ReadSlots, cursor.Destination(TOperation.DestinationKind), out destination)))
        {
            done = TOperation.Run<TWidth, TElement>(s, source, destination, fit, cursor.Step, condition);
        }
        else
        {
            // The element before this one was looked up in the same pages: see IMmu.TryRepeat.
            bool areSamePages = (!TOperation.HasSource || (cursor.Source & ~0xFFFUL) == lookedUpSource)
                && (!TOperation.HasDestination || (cursor.Destination(TOperation.DestinationKind) & ~0xFFFUL) == lookedUpDestination);
            if (!areSamePages || !TryRepeat(vcpu, cursor, fit, out source, out destination))
                return 0;
            done = TOperation.Run<TWidth, TElement>(s, source, destination, fit, cursor.Step, condition);
            if (TOperation.HasSource)
                vcpu.Mmu.CountRepeated(new LinearAddress(cursor.Source), done);
            if (TOperation.HasDestination)
                vcpu.Mmu.CountRepeated(new LinearAddress(cursor.Destination(TOperation.DestinationKind)), done);
        }

        ulong stores = TOperation.DestinationKind == AccessKind.Write ? done : 0;
        ulong loads = TOperation.HasSource ? done : 0;
        if (TOperation.HasDestination && TOperation.DestinationKind == AccessKind.Read)
            loads += done;
        vcpu.Data.CountElements(loads, stores);
        return done;
    }

    // SAFETY: as FilteredMemory; the caller stays inside the page.
    private static bool TryProbe(CpuState* s, FilterSlot* table, ulong address, out byte* pointer)
    {
        FilterSlot* slot = TranslationFilter.Slot(table, address, s->SlotOffsetMask);
        pointer = (byte*)(address + slot->Payload);
        return slot->Tag == FilterSlot.TagOf(address);
    }

    private static bool TryRepeat(Vcpu vcpu, in StringCursor cursor, ulong fit, out byte* source, out byte* destination)
    {
        source = null;
        destination = null;
        if (TOperation.HasSource)
        {
            if (!vcpu.Mmu.TryRepeat(new LinearAddress(cursor.Source), AccessKind.Read, vcpu.Data.Mode, out Translation from) || !from.IsRam)
                return false;
            source = vcpu.Bus.Memory.Base + from.Address.Value;
        }

        if (!TOperation.HasDestination)
            return true;
        if (!vcpu.Mmu.TryRepeat(new LinearAddress(cursor.Destination(TOperation.DestinationKind)), TOperation.DestinationKind, vcpu.Data.Mode, out Translation to) || !to.IsRam)
            return false;
        destination = vcpu.Bus.Memory.Base + to.Address.Value;

        // A store to a line that holds code, or to a watched table, must be noticed when it is made: element by element.
        return TOperation.DestinationKind != AccessKind.Write || !IsGuarded(vcpu, to.Address, fit, cursor.Step);
    }

    private static bool IsGuarded(Vcpu vcpu, HostPhysicalAddress address, ulong count, long step)
    {
        ulong guarded = vcpu.Bus.Memory.GuardedLines(address.Frame);
        if (guarded == 0)
            return false;
        ulong length = count * TWidth.Bytes;
        ulong first = (address.Value & 0xFFF) - (step > 0 ? 0 : length - TWidth.Bytes);
        ulong last = first + length - 1;
        return (guarded & (ulong.MaxValue << (int)(first >> 6)) & (ulong.MaxValue >> (int)(63 - (last >> 6)))) != 0;
    }
}
