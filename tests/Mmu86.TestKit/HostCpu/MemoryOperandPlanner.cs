using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Finds an address form and register values for a ModRM memory operand so that it lands on a given linear address.</summary>
internal static class MemoryOperandPlanner
{
    private const ulong UserEnd = 0x0000_7FFF_FFFF_0000;

    // Ignored in 64-bit mode. Not SS: whether it makes a fault #SS is a matter of the processor's maker.
    private static readonly Register[] IgnoredSegments = [Register.ES, Register.CS, Register.DS];

    /// <summary>Fills in the memory operand of an instruction and pins the registers that it uses.</summary>
    /// <param name="draft">The case.</param>
    /// <param name="instruction">The instruction; its other operands are in place.</param>
    /// <param name="linear">Where the operand is to be.</param>
    /// <param name="stackAdjustment">What the instruction adds to RSP before it computes the address: the operand size for POP.</param>
    /// <returns>False where the form that was drawn cannot reach the address: draw again.</returns>
    public static bool TryPlan(CaseDraft draft, ref Instruction instruction, ulong linear, ulong stackAdjustment)
    {
        ulong address = unchecked(linear - ChooseSegment(draft, ref instruction, linear));
        if (draft.Random.Percent(8) && TryRipRelative(draft, ref instruction, address))
            return true;
        bool is32Bit = address <= uint.MaxValue && draft.Random.Percent(15);
        Form form = Form.Draw(draft.Random, is32Bit);
        if (form.Base != Register.None && CaseDraft.NumberOf(form.Base) == CaseDraft.NumberOf(Register.RSP))
            address = unchecked(address - stackAdjustment);
        if (!TrySolve(draft, ref form, address))
            return false;

        instruction.MemoryBase = form.Base;
        instruction.MemoryIndex = form.Index;
        instruction.MemoryIndexScale = form.Index == Register.None ? 1 : form.Scale;
        instruction.MemoryDisplSize = form.DisplacementSize;
        instruction.MemoryDisplacement64 = is32Bit ? (uint)form.Displacement : (ulong)form.Displacement;
        return true;
    }

    /// <summary>Maybe puts a segment prefix on the instruction.</summary>
    /// <returns>The base of the segment.</returns>
    public static ulong ChooseSegment(CaseDraft draft, ref Instruction instruction, ulong linear)
    {
        CaseRandom random = draft.Random;
        int kind = random.Below(100);
        if (kind >= 16)
            return 0;
        if (kind >= 13)
        {
            if (linear < UserEnd)
                instruction.SegmentPrefix = random.Pick<Register>(IgnoredSegments);
            return 0;
        }

        ulong segmentBase = random.Below(5) switch
        {
            0 => linear & ~0xFFFUL,
            1 => linear - (ulong)random.Below(0x100),
            // The effective address is negative then.
            2 => linear + (ulong)random.Below(0x10000),
            3 => 0,
            _ => random.Next() & 0x3FFF_FFFF_FFFF,
        };
        segmentBase = Math.Min(segmentBase, UserEnd);
        if (kind < 8)
        {
            instruction.SegmentPrefix = Register.GS;
            draft.Case.GsBase = segmentBase;
        }
        else
        {
            instruction.SegmentPrefix = Register.FS;
            draft.Case.FsBase = segmentBase;
        }

        return segmentBase;
    }

    private static bool TryRipRelative(CaseDraft draft, ref Instruction instruction, ulong address)
    {
        // A little less than the reach, for the length of the instruction is not known yet.
        long distance = unchecked((long)(address - draft.Case.CodeAddress));
        if (Math.Abs(distance) > int.MaxValue - 100)
            return false;
        bool is32Bit = address <= uint.MaxValue && draft.Random.Percent(20);
        instruction.MemoryBase = is32Bit ? Register.EIP : Register.RIP;
        instruction.MemoryDisplSize = is32Bit ? 4 : 8;
        instruction.MemoryDisplacement64 = address;
        return true;
    }

    // Base + index * scale + displacement = address, modulo the address size, in whatever is still free.
    private static bool TrySolve(CaseDraft draft, ref Form form, ulong address)
    {
        if (form.Base == Register.None && form.Index == Register.None)
            return form.TrySetDisplacement(address);

        bool same = form.Base != Register.None && form.Index != Register.None
            && CaseDraft.NumberOf(form.Base) == CaseDraft.NumberOf(form.Index);
        if (form.Base == Register.None || same)
            return TrySolveMultiple(draft, ref form, form.Base == Register.None ? form.Index : form.Base, (ulong)form.Scale + (same ? 1UL : 0UL), address);

        ulong rest = address;
        if (form.Index != Register.None)
        {
            // With a fixed base only the displacement is left, and that is short.
            if (draft.IsPinned(form.Base) && !draft.IsPinned(form.Index))
                draft.Pin(form.Index, (ulong)(draft.Random.Below(16) - 8));
            ulong index = draft[form.Index];
            draft.Pin(form.Index, index);
            rest = unchecked(rest - (index * (ulong)form.Scale));
        }

        if (draft.IsPinned(form.Base))
            return form.TrySetDisplacement(unchecked(rest - draft[form.Base]));
        draft.Pin(form.Base, form.Widen(draft.Random, unchecked(rest - (ulong)form.Displacement)));
        return true;
    }

    // One register, counted several times: the displacement takes what the division leaves.
    private static bool TrySolveMultiple(CaseDraft draft, ref Form form, Register register, ulong factor, ulong address)
    {
        if (draft.IsPinned(register))
            return form.TrySetDisplacement(unchecked(address - (draft[register] * factor)));
        ulong wanted = unchecked(address - (ulong)form.Displacement);
        if (form.Is32Bit)
            wanted = (uint)wanted;
        draft.Pin(register, form.Widen(draft.Random, wanted / factor));
        return form.TrySetDisplacement(unchecked(address - (wanted / factor * factor)));
    }

    private record struct Form(bool Is32Bit, Register Base, Register Index, int Scale, int DisplacementSize, long Displacement)
    {
        private readonly int FullSize => Is32Bit ? 4 : 8;

        public static Form Draw(CaseRandom random, bool is32Bit)
        {
            Register first = is32Bit ? Register.EAX : Register.RAX;
            Register @base = first + random.Below(16);
            Register index = first + random.Below(16);
            if (CaseDraft.NumberOf(index) == CaseDraft.NumberOf(Register.RSP))
                index = Register.None;
            int shape = random.Below(16);
            Form form = new(is32Bit, shape == 15 ? Register.None : @base, shape < 7 ? Register.None : index, 1 << random.Below(4), 0, 0);
            if (shape == 14)
                form = form with { Base = Register.None, Index = Register.None };
            return random.Below(3) switch
            {
                _ when form.Base == Register.None => form with { DisplacementSize = form.FullSize },
                0 => form,
                1 => form with { DisplacementSize = 1, Displacement = (sbyte)random.Next() },
                _ => form with { DisplacementSize = form.FullSize, Displacement = (int)random.Corner() },
            };
        }

        // A 32-bit address takes the low half of its registers; the high half is noise.
        public readonly ulong Widen(CaseRandom random, ulong value) => Is32Bit ? (uint)value | (random.Next() << 32) : value;

        public bool TrySetDisplacement(ulong value)
        {
            long displacement = Is32Bit ? (int)value : (long)value;
            if (displacement != (int)displacement)
                return false;
            Displacement = displacement;
            if (DisplacementSize != FullSize && displacement != 0)
                DisplacementSize = displacement == (sbyte)displacement && DisplacementSize == 1 ? 1 : FullSize;
            return true;
        }
    }
}
