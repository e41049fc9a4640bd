using System.Runtime.InteropServices;
using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Sets up pointers, count and data for string instructions: overlaps, both directions, matches at known places.</summary>
internal static class StringOperandPlanner
{
    /// <summary>Whether a form takes its operands through RSI or RDI.</summary>
    public static bool Applies(OpCodeInfo form)
    {
        for (int i = 0; i < form.OpCount; i++)
        {
            if (form.GetOpKind(i) is OpCodeOperandKind.seg_rSI or OpCodeOperandKind.es_rDI)
                return true;
        }

        return false;
    }

    /// <summary>Fills in operands and prefixes.</summary>
    public static void Plan(CaseDraft draft, OpCodeInfo form, ref Instruction instruction)
    {
        CaseRandom random = draft.Random;
        draft.SetDirection(random.Percent(35));
        int size = form.MemorySize.GetSize();
        ulong count = ChooseRepeat(draft, form, ref instruction);
        int length = (int)Math.Min(count, WindowBuffer.Bytes / (ulong)size) * size;

        ulong source = ChoosePointer(draft, size, length);
        ulong destination = ChoosePointer(draft, size, length);
        if (random.Percent(30))
            destination = source + (ulong)(random.Below((4 * size) + 5) - (2 * size) - 2);
        bool is32Bit = source <= uint.MaxValue && destination <= uint.MaxValue && random.Percent(15);
        ShapeData(draft, form.Mnemonic, new Run(source, destination, size, length));

        for (int i = 0; i < form.OpCount; i++)
        {
            switch (form.GetOpKind(i))
            {
                case OpCodeOperandKind.seg_rSI:
                    instruction.SetOpKind(i, is32Bit ? OpKind.MemorySegESI : OpKind.MemorySegRSI);
                    ulong segmentBase = MemoryOperandPlanner.ChooseSegment(draft, ref instruction, source);
                    ulong offset = unchecked(source - segmentBase);
                    // A segment base above the operand makes the offset negative: out of reach of ESI unless the base is low.
                    if (is32Bit && offset > uint.MaxValue)
                    {
                        instruction.SegmentPrefix = Register.None;
                        offset = source;
                    }

                    draft.Pin(Register.RSI, Widen(random, offset, is32Bit));
                    break;
                case OpCodeOperandKind.es_rDI:
                    instruction.SetOpKind(i, is32Bit ? OpKind.MemoryESEDI : OpKind.MemoryESRDI);
                    draft.Pin(Register.RDI, Widen(random, destination, is32Bit));
                    break;
            }
        }

        draft.Pin(Register.RCX, Widen(random, count, is32Bit && count <= uint.MaxValue));
    }

    private static ulong ChooseRepeat(CaseDraft draft, OpCodeInfo form, ref Instruction instruction)
    {
        CaseRandom random = draft.Random;
        int prefix = random.Below(10);
        if (prefix < 5 && form.CanUseRepPrefix)
            instruction.HasRepePrefix = true;
        else if (prefix < 8 && form.CanUseRepnePrefix)
            instruction.HasRepnePrefix = true;
        else
            return random.Corner();

        return random.Below(20) switch
        {
            < 2 => 0,
            < 5 => 1,
            < 15 => (ulong)random.Below(20),
            < 18 => (ulong)random.Below(200),
            < 19 => (ulong)random.Below(2000),
            // Ends in a fault, long before the count does.
            _ => 0x1_0000_0000 + (ulong)random.Below(4),
        };
    }

    // Where the run lies within the window where it fits; where paging interferes now and then.
    private static ulong ChoosePointer(CaseDraft draft, int size, int length)
    {
        if (draft.Random.Percent(12))
            return OperandAddress.Choose(draft, size, OperandUse.Data, SplitLocks.Avoided);
        int room = Math.Max(length, size);
        ulong low = draft.AddressInWindow(room >= WindowBuffer.Bytes ? WindowBuffer.Bytes : room);
        return draft.GoesDown ? low + (ulong)(room - size) : low;
    }

    // Comparisons are interesting where they go on for a while.
    private static void ShapeData(CaseDraft draft, Mnemonic mnemonic, in Run run)
    {
        CaseRandom random = draft.Random;
        if (run.Length == 0 || random.Percent(30))
            return;
        ulong value = random.Corner();
        ulong lowest = draft.GoesDown ? run.Destination - (ulong)(run.Length - run.Size) : run.Destination;
        ulong source = draft.GoesDown ? run.Source - (ulong)(run.Length - run.Size) : run.Source;
        ulong different = (ulong)(random.Below(run.Length / run.Size) * run.Size);
        switch (mnemonic)
        {
            case Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq:
                draft.Pin(Register.RAX, value);
                Repeat(draft, lowest, value, run);
                draft.Store(lowest + different, random.Corner(), run.Size);
                break;
            case Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq:
                Repeat(draft, lowest, value, run);
                Repeat(draft, source, value, run);
                draft.Store((random.Percent(50) ? lowest : source) + different, random.Corner(), run.Size);
                break;
        }
    }

    private static void Repeat(CaseDraft draft, ulong address, ulong value, in Run run)
    {
        for (int done = 0; done < run.Length; done += run.Size)
            draft.Store(address + (ulong)done, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))[..run.Size]);
    }

    private static ulong Widen(CaseRandom random, ulong value, bool is32Bit) => is32Bit ? (uint)value | (random.Next() << 32) : value;

    private readonly record struct Run(ulong Source, ulong Destination, int Size, int Length);
}
