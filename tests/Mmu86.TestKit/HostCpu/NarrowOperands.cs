using Iced.Intel;
using Mmu86.Cpu;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Segments, registers, branch targets and implicit operands of 16- and 32-bit cases.</summary>
internal static class NarrowOperands
{
    // What POPF may load: not TF.
    private const ulong PoppedFlags = 0x24_7ED5;

    private const int MostEnterLevels = 31;

    private static readonly Register[] Segments = [Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS];

    private static readonly ushort[] DataSelectors =
    [
        NarrowSegments.FlatData, NarrowSegments.FlatData, NarrowSegments.Data, NarrowSegments.ExpandDown32, NarrowSegments.ExpandDown16,
        NarrowSegments.ReadOnly, NarrowSegments.Stack16, NarrowSegments.Code16, 0,
    ];

    private static readonly ushort[] StackSelectors =
    [
        NarrowSegments.FlatData, NarrowSegments.FlatData, NarrowSegments.Data, NarrowSegments.Stack16, NarrowSegments.ExpandDown32,
        NarrowSegments.ExpandDown16,
    ];

    // Base and index of 16-bit addressing, by R/M.
    private static readonly (Register Base, Register Index)[] Forms16 =
    [
        (Register.BX, Register.SI), (Register.BX, Register.DI), (Register.BP, Register.SI), (Register.BP, Register.DI),
        (Register.SI, Register.None), (Register.DI, Register.None), (Register.BP, Register.None), (Register.BX, Register.None),
        (Register.None, Register.None),
    ];

    /// <summary>Half of the cases run in flat segments, half in segments with bases, limits and types.</summary>
    public static void ChooseSegments(CaseDraft draft, CaseRandom random)
    {
        ref SelectorBuffer selectors = ref draft.Case.Selectors;
        bool isFlat = random.Percent(50);
        selectors[0] = isFlat || random.Percent(30) ? NarrowSegments.FlatCode
            : random.Percent(70) ? NarrowSegments.Code16
            : NarrowSegments.ExecuteOnly;
        for (int i = 1; i < 6; i++)
            selectors[i] = isFlat && i < 4 ? NarrowSegments.FlatData : random.Pick<ushort>(i == 3 ? StackSelectors : DataSelectors);
    }

    /// <summary>The segment register that an address register implies, or that a prefix names.</summary>
    public static SegmentRegister Segment(CaseDraft draft, Register segment)
    {
        ref SelectorBuffer selectors = ref draft.Case.Selectors;
        return NarrowSegments.Of(segment switch
        {
            Register.CS => selectors[0],
            Register.DS => selectors[1],
            Register.ES => selectors[2],
            Register.SS => selectors[3],
            Register.FS => selectors[4],
            _ => selectors[5],
        });
    }

    /// <summary>A general-purpose register of 16- and 32-bit code.</summary>
    public static Register Draw(int widthInBits, CaseRandom random) => (widthInBits switch
    {
        8 => Register.AL,
        16 => Register.AX,
        _ => Register.EAX,
    }) + random.Below(8);

    /// <summary>The register of an operand that can be nothing else.</summary>
    public static bool TryDraw(OpCodeOperandKind kind, CaseRandom random, out Register register)
    {
        register = kind switch
        {
            OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => Draw(8, random),
            OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_opcode => Draw(16, random),
            OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_opcode => Draw(32, random),
            OpCodeOperandKind.al => Register.AL,
            OpCodeOperandKind.ax => Register.AX,
            OpCodeOperandKind.eax => Register.EAX,
            OpCodeOperandKind.cl => Register.CL,
            OpCodeOperandKind.es => Register.ES,
            OpCodeOperandKind.cs => Register.CS,
            OpCodeOperandKind.ss => Register.SS,
            OpCodeOperandKind.ds => Register.DS,
            OpCodeOperandKind.fs => Register.FS,
            OpCodeOperandKind.gs => Register.GS,
            OpCodeOperandKind.seg_reg => random.Pick<Register>(Segments),
            _ => Register.None,
        };
        return register != Register.None;
    }

    /// <summary>An offset in a segment at which so many bytes are data of the case, or lie at the segment's edges.</summary>
    public static ulong Offset(CaseDraft draft, SegmentRegister segment, int bytes, OperandUse use, SplitLocks splitLocks)
    {
        CaseRandom random = draft.Random;
        if (use != OperandUse.Controlled && random.Percent(12))
        {
            ulong edge = random.Below(4) switch
            {
                0 => segment.Limit + 1UL - (ulong)bytes,
                1 => segment.Limit + 1UL,
                2 => 0x1_0000UL - (ulong)bytes,
                _ => 0,
            };
            edge = (uint)(edge + (ulong)random.Below(5) - 2);

            // Whether an access wraps around at 4 GiB is the processor's own choice; split locks may be the system's.
            if (edge + (ulong)bytes <= uint.MaxValue && use != OperandUse.Locked)
                return edge;
        }

        ulong linear = OperandAddress.Choose(draft, bytes, use, splitLocks);
        return (uint)((linear > uint.MaxValue ? draft.AddressInWindow(bytes) : linear) - segment.Base);
    }

    /// <summary>Near branches: mostly INT3 in the code pages.</summary>
    public static bool TrySetBranch(CaseDraft draft, ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        bool isShort = kind is OpCodeOperandKind.br16_1 or OpCodeOperandKind.br32_1;
        bool is16Bit = kind is OpCodeOperandKind.br16_1 or OpCodeOperandKind.br16_2;
        if (!isShort && !is16Bit && kind != OpCodeOperandKind.br32_4)
            return false;
        CaseRandom random = draft.Random;
        long distance = random.Percent(50) ? random.Below(100) + 16 : -random.Below(100) - 1;
        ulong target = draft.Case.EntryPoint + (ulong)distance;

        // Whether a CALL out of its segment has stored the return address when it faults is the processor's own choice.
        bool isCall = instruction.Mnemonic == Mnemonic.Call;
        if (!isShort)
            target = isCall || random.Percent(85) ? BranchTarget(draft) : random.Next();
        instruction.SetOpKind(operand, is16Bit ? OpKind.NearBranch16 : OpKind.NearBranch32);
        if (is16Bit)
            instruction.NearBranch16 = (ushort)target;
        else
            instruction.NearBranch32 = (uint)target;
        return true;
    }

    /// <summary>Operands of string instructions.</summary>
    public static bool TrySetString(CaseDraft draft, OpCodeInfo form, ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        if (kind is not (OpCodeOperandKind.seg_rSI or OpCodeOperandKind.es_rDI))
            return false;
        CaseRandom random = draft.Random;
        bool isFirst = operand == 0 || form.GetOpKind(0) is not (OpCodeOperandKind.seg_rSI or OpCodeOperandKind.es_rDI);
        bool isWide = isFirst ? IsCompare(form) || random.Percent(60) : instruction.GetOpKind(0) is OpKind.MemorySegESI or OpKind.MemoryESEDI;
        if (isFirst)
        {
            if (form.CanUseRepPrefix && random.Percent(50))
                instruction.HasRepePrefix = true;
            else if (form.CanUseRepnePrefix && random.Percent(40))
                instruction.HasRepnePrefix = true;
            draft.Pin(Register.RCX, (random.Next() & 0xFFFF_0000) | (uint)random.Below(24));
            if (isWide)
                draft.Pin(Register.RCX, (ulong)random.Below(24));
        }

        bool isSource = kind == OpCodeOperandKind.seg_rSI;
        Register segment = Register.ES;
        if (isSource)
        {
            segment = Register.DS;
            if (random.Percent(25) && !IsCompare(form))
                instruction.SegmentPrefix = segment = random.Pick<Register>(Segments);
        }

        // Which operand of CMPS is read first is not defined, so that one of them at most may fault.
        SegmentRegister register = Segment(draft, segment);
        bool isSafe = isSource && IsCompare(form);
        if (isSafe)
            draft.Case.Selectors[1] = NarrowSegments.FlatData;
        ulong offset = isSafe && isWide && segment == Register.DS
            ? draft.AddressInWindow(24 * form.MemorySize.GetSize())
            : Offset(draft, register, form.MemorySize.GetSize(), OperandUse.Data, SplitLocks.Avoided);
        draft.Pin(isSource ? Register.RSI : Register.RDI, isWide ? offset : (random.Next() & 0xFFFF_0000) | (ushort)offset);
        instruction.SetOpKind(operand, (isSource, isWide) switch
        {
            (true, true) => OpKind.MemorySegESI,
            (true, false) => OpKind.MemorySegSI,
            (false, true) => OpKind.MemoryESEDI,
            _ => OpKind.MemoryESDI,
        });
        return true;
    }

    /// <summary>Whether a form is a near jump or call through its operand.</summary>
    public static bool IsIndirectBranch(OpCodeInfo form) =>
        form.Code is Code.Call_rm16 or Code.Call_rm32 or Code.Jmp_rm16 or Code.Jmp_rm32;

    /// <summary>Gives the register of an indirect branch a target.</summary>
    public static bool TryPinTarget(CaseDraft draft, Register register)
    {
        if (draft.IsPinned(register))
            return false;
        draft.Pin(register, BranchTarget(draft));
        return true;
    }

    /// <summary>An address form and register values for the memory operand.</summary>
    /// <returns>False where the form that was drawn does not reach: draw again.</returns>
    public static bool TryPlanMemory(CaseDraft draft, OpCodeInfo form, ref Instruction instruction, OpCodeOperandKind kind, SplitLocks splitLocks)
    {
        CaseRandom random = draft.Random;
        bool isWide = random.Percent(draft.Case.CodeBits == 32 ? 80 : 30);
        Register first = Register.None;
        Register second = Register.None;
        int scale = 1;
        if (kind == OpCodeOperandKind.seg_rBX_al)
            (first, second) = (isWide ? Register.EBX : Register.BX, Register.AL);
        else if (kind != OpCodeOperandKind.mem_offs && isWide)
            (first, second, scale) = DrawForm32(random);
        else if (kind != OpCodeOperandKind.mem_offs)
            (first, second) = random.Pick<(Register, Register)>(Forms16);

        Register segment = first is Register.BP or Register.EBP or Register.ESP ? Register.SS : Register.DS;
        if (random.Percent(30))
            instruction.SegmentPrefix = segment = random.Pick<Register>(Segments);
        bool isLocked = form.CanUseLockPrefix || form.Mnemonic == Mnemonic.Xchg;
        bool isBranch = IsIndirectBranch(form);
        OperandUse use = isBranch ? OperandUse.Controlled : isLocked ? OperandUse.Locked : OperandUse.Data;
        int bytes = Math.Max(1, form.MemorySize.GetSize());
        SegmentRegister register = Segment(draft, segment);
        if (isBranch && form.Mnemonic == Mnemonic.Call && register.Base == ScratchMemory.CodeStart)
            return false;
        ulong offset = Offset(draft, register, bytes, use, splitLocks);
        if (form.Mnemonic == Mnemonic.Bound && IsDivided(register, offset, bytes))
            return false;
        if (isBranch)
            draft.Store(register.Base + offset, BranchTarget(draft), bytes);
        ulong popped = form.Mnemonic == Mnemonic.Pop && first == Register.ESP ? (ulong)bytes : 0;
        return TrySolve(draft, ref instruction, kind, new AddressForm(first, second, scale, isWide), offset - popped)
            && !(isWide && BitIndexWrapsAround(draft, form, instruction, offset, bytes));
    }

    // Whether BOUND reads the upper bound when the lower one is missed is the processor's own choice: both can be read or none.
    private static bool IsDivided(SegmentRegister segment, ulong offset, int bytes)
    {
        ulong last = offset + (ulong)bytes - 1;
        bool crossesPage = ((segment.Base + offset) ^ (segment.Base + last)) >> 12 != 0;
        return crossesPage || (offset <= segment.Limit && last > segment.Limit);
    }

    // BT and its like reach away from their operand, as far as to the bytes on both sides of 4 GiB: the processor's own choice again.
    private static bool BitIndexWrapsAround(CaseDraft draft, OpCodeInfo form, in Instruction instruction, ulong offset, int bytes)
    {
        if (form.Mnemonic is not (Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc) || instruction.Op1Kind != OpKind.Register)
            return false;
        ulong index = draft[instruction.Op1Register];
        long bit = bytes == 2 ? (short)index : (int)index;
        long word = bit >> (bytes == 2 ? 4 : 5);
        return (uint)(offset + (ulong)(word * bytes)) + (ulong)bytes > uint.MaxValue + 1UL;
    }

    /// <summary>Stack, counters and shift counts.</summary>
    public static void PrepareImplicit(CaseDraft draft, OpCodeInfo form, bool is32Bit)
    {
        CaseRandom random = draft.Random;
        int bytes = form.OperandSize == 16 || (form.OperandSize == 0 && !is32Bit) ? 2 : 4;
        SegmentRegister stack = Segment(draft, Register.SS);
        switch (form.Mnemonic)
        {
            // With 32-bit operands some processors store four bytes, some two: zeros make them equal.
            case Mnemonic.Push when IsSegment(form.Op0Kind):
                ulong slot = (uint)(draft.AddressInWindow(4) - stack.Base);
                PinStack(draft, Register.RSP, slot + (ulong)bytes);
                draft.Store(stack.Base + slot, 0, bytes);
                break;
            case Mnemonic.Push or Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Call or Mnemonic.Enter:
                PinStack(draft, Register.RSP, StackOffset(draft, stack, bytes, OperandUse.Data) + (ulong)bytes);
                if (form.Mnemonic == Mnemonic.Enter)
                {
                    // It reads as many frame pointers below as it has levels, which shall not lie on both sides of 4 GiB.
                    ulong lowest = (ulong)(MostEnterLevels * bytes);
                    PinStack(draft, Register.RBP, Math.Max(StackOffset(draft, stack, bytes, OperandUse.Data), lowest));
                }

                break;
            case Mnemonic.Pusha or Mnemonic.Pushad:
                PinStack(draft, Register.RSP, StackOffset(draft, stack, 8 * bytes, OperandUse.Data) + (8UL * (ulong)bytes));
                break;
            case Mnemonic.Pop:
                PinStack(draft, Register.RSP, StackOffset(draft, stack, bytes, OperandUse.Data));
                break;
            // Which registers are loaded before a fault is the processor's own choice: the first pop faults or none.
            case Mnemonic.Popa or Mnemonic.Popad:
                PinStack(draft, Register.RSP, StackOffset(draft, stack, 8 * bytes, OperandUse.Controlled));
                break;
            case Mnemonic.Popf or Mnemonic.Popfd:
                ulong flags = StackOffset(draft, stack, bytes, OperandUse.Controlled);
                PinStack(draft, Register.RSP, flags);
                draft.Store(stack.Base + flags, random.Next() & PoppedFlags, bytes);
                break;
            case Mnemonic.Ret:
                ulong target = StackOffset(draft, stack, bytes, OperandUse.Controlled);
                PinStack(draft, Register.RSP, target);
                draft.Store(stack.Base + target, BranchTarget(draft), bytes);
                break;
            case Mnemonic.Leave:
                PinStack(draft, Register.RBP, StackOffset(draft, stack, bytes, OperandUse.Data));
                break;
            case Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne or Mnemonic.Jcxz or Mnemonic.Jecxz:
                draft.Pin(Register.RCX, random.Pick<ulong>([0, 1, 2, 0x1_0000, 0x1_0001, random.Corner()]));
                break;
            case Mnemonic mnemonic when ImplicitOperands.TakesShiftCount(mnemonic):
                draft.Suggest(Register.RCX, (random.Corner() & ~0xFFUL) | ImplicitOperands.ShiftCount(random));
                break;
        }
    }

    private static bool IsCompare(OpCodeInfo form) => form.Mnemonic is Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd;

    private static bool IsSegment(OpCodeOperandKind kind) => kind is OpCodeOperandKind.es or OpCodeOperandKind.cs
        or OpCodeOperandKind.ss or OpCodeOperandKind.ds or OpCodeOperandKind.fs or OpCodeOperandKind.gs;

    private static ulong StackOffset(CaseDraft draft, SegmentRegister stack, int bytes, OperandUse use) =>
        Offset(draft, stack, bytes, use, SplitLocks.Avoided);

    // SP is the low half of a register whose high half is noise.
    private static void PinStack(CaseDraft draft, Register register, ulong offset)
    {
        bool isWide = Segment(draft, Register.SS).Big;
        draft.Pin(register, isWide ? (uint)offset : (draft.Random.Next() & 0xFFFF_0000) | (ushort)offset);
    }

    private static ulong BranchTarget(CaseDraft draft) =>
        (uint)(draft.BranchTarget() - NarrowSegments.Of(draft.Case.Selectors[0]).Base);

    private static (Register Base, Register Index, int Scale) DrawForm32(CaseRandom random)
    {
        Register first = random.Percent(10) ? Register.None : Register.EAX + random.Below(8);
        Register second = random.Percent(50) ? Register.None : Register.EAX + random.Below(8);
        return (first, second == Register.ESP ? Register.None : second, 1 << random.Below(4));
    }

    // One register takes what the others and the displacement leave, or the displacement does.
    private static bool TrySolve(CaseDraft draft, ref Instruction instruction, OpCodeOperandKind kind, AddressForm form, ulong offset)
    {
        CaseRandom random = draft.Random;
        bool hasDisplacement = kind != OpCodeOperandKind.seg_rBX_al;
        bool isSame = form.Base != Register.None && form.Base.GetFullRegister() == form.Index.GetFullRegister();
        ulong sum = 0;
        if (form.Index == Register.AL)
        {
            draft.Pin(Register.RAX, draft[Register.RAX]);
            sum = (byte)draft[Register.RAX];
        }
        else if (form.Index != Register.None)
        {
            if (!draft.IsPinned(form.Index))
                draft.Pin(form.Index, random.Percent(50) ? (ulong)random.Below(64) : draft[form.Index]);
            sum = draft[form.Index] * (ulong)form.Scale;
        }

        ulong displacement = hasDisplacement && random.Percent(60) ? (ulong)(sbyte)random.Next() : 0;
        if (form.Base != Register.None && !isSame && !draft.IsPinned(form.Base))
        {
            ulong value = offset - sum - displacement;
            draft.Pin(form.Base, form.IsWide ? value : (random.Next() & 0xFFFF_0000) | (ushort)value);
        }
        else
        {
            if (!hasDisplacement)
                return false;
            if (form.Base != Register.None)
                sum += draft[form.Base];
            displacement = offset - sum;
        }

        displacement = form.IsWide ? (ulong)(int)displacement : (ulong)(short)displacement;
        bool isByte = form.Base != Register.None && (long)displacement == (sbyte)displacement;
        instruction.MemoryBase = form.Base;
        instruction.MemoryIndex = form.Index;
        instruction.MemoryIndexScale = form.Scale;
        instruction.MemoryDisplSize = !hasDisplacement || (displacement == 0 && isByte) ? 0 : isByte ? 1 : form.IsWide ? 4 : 2;
        instruction.MemoryDisplacement64 = form.IsWide ? (uint)displacement : (ushort)displacement;
        return true;
    }

    private readonly record struct AddressForm(Register Base, Register Index, int Scale, bool IsWide);
}
