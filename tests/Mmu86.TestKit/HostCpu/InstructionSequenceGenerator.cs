using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Makes test cases of several instructions: flags that outlive their instruction, fused pairs, branches over one, loops, faults half way.</summary>
/// <remarks>
/// One instruction alone cannot show whether flags that are computed late, or handlers that do two instructions at once, are right.
/// No instruction reads a flag that one before it may have left undefined. A case follows from seed and index alone.
/// </remarks>
public sealed class InstructionSequenceGenerator
{
    private const int LongestSequence = 6;
    private const int LongestLoop = 4;
    private const int LongestInstruction = 15;

    // Flag bits of Iced's own numbering, and where RFLAGS has them.
    private static readonly (RflagsBits Bit, ulong Flag)[] Bits =
    [
        (RflagsBits.CF, 1 << 0), (RflagsBits.PF, 1 << 2), (RflagsBits.AF, 1 << 4), (RflagsBits.ZF, 1 << 6),
        (RflagsBits.SF, 1 << 7), (RflagsBits.OF, 1 << 11),
    ];

    private static readonly Mnemonic[] LeftOut =
    [
        // The faults of divisions and the undefined results of bit scans are tested one at a time.
        Mnemonic.Div, Mnemonic.Idiv, Mnemonic.Bsf, Mnemonic.Bsr,
        // These go away or end in a fault in any case.
        Mnemonic.Call, Mnemonic.Ret, Mnemonic.Jmp, Mnemonic.Loop, Mnemonic.Loope, Mnemonic.Loopne, Mnemonic.Jecxz, Mnemonic.Jrcxz,
        Mnemonic.Ud0, Mnemonic.Ud1, Mnemonic.Ud2,
        // These need memory or registers of their own.
        Mnemonic.Popf, Mnemonic.Popfq, Mnemonic.Enter, Mnemonic.Leave, Mnemonic.Xlatb, Mnemonic.Cmpxchg16b,
        Mnemonic.Rdfsbase, Mnemonic.Rdgsbase, Mnemonic.Wrfsbase, Mnemonic.Wrgsbase,
        // DF changes nothing else here.
        Mnemonic.Std, Mnemonic.Cld,
    ];

    private readonly ulong _seed;
    private readonly UndefinedFlags _undefined;
    private readonly OpCodeInfo[] _forms;
    private readonly OpCodeInfo[] _deciders;
    private readonly OpCodeInfo[] _conditionalJumps;
    private readonly InstructionEncoder _encoder = new();

    /// <summary>Makes a generator.</summary>
    public InstructionSequenceGenerator(ulong seed, UndefinedFlags undefined)
    {
        _seed = seed;
        _undefined = undefined;
        _forms = [.. InstructionForms.GeneralPurpose.Where(IsUsable)];
        _deciders = [.. _forms.Where(form => form.Mnemonic is Mnemonic.Cmp or Mnemonic.Test or Mnemonic.Sub or Mnemonic.And or Mnemonic.Inc or Mnemonic.Dec)];
        _conditionalJumps = [.. InstructionForms.GeneralPurpose.Where(form => form.Op0Kind == OpCodeOperandKind.br64_1 && form.Code.IsJccShort())];
    }

    /// <summary>The case of an index.</summary>
    public InstructionCase Create(long index)
    {
        CaseRandom random = new(_seed, (ulong)index);
        while (true)
        {
            Draft draft = new(random);
            if (TryCreate(draft))
                return draft.Case.Case;
        }
    }

    private static bool IsUsable(OpCodeInfo form)
    {
        if (LeftOut.Contains(form.Mnemonic) || form.IsReservedNop || StringOperandPlanner.Applies(form))
            return false;
        for (int i = 0; i < form.OpCount; i++)
        {
            // Shifts by CL have a count that is not known here; branches are made apart.
            if (form.GetOpKind(i) is OpCodeOperandKind.cl or OpCodeOperandKind.br64_1 or OpCodeOperandKind.br64_4 or OpCodeOperandKind.mem_offs)
                return false;
        }

        return true;
    }

    private bool TryCreate(Draft draft)
    {
        CaseRandom random = draft.Case.Random;
        bool loops = random.Percent(30);
        // A third of them is one decision and what depends on it.
        bool decides = random.Percent(33);
        int count = decides ? 2 : 2 + random.Below((loops ? LongestLoop : LongestSequence) - 1);
        ulong undefinedAtStart = 0;
        bool jumps = false;
        for (int i = 0; i < count; i++)
        {
            OpCodeInfo? jump = jumps ? random.Pick<OpCodeInfo>(_conditionalJumps) : null;
            jumps = decides || random.Percent(30);
            // What stands before a jump is mostly what compilers put there, and interpreters fuse.
            OpCodeInfo form = random.Pick<OpCodeInfo>(jumps && (decides || random.Percent(60)) ? _deciders : _forms);
            if (!draft.HasRoomFor(2 + LongestInstruction + 8) || !TryAppend(draft, form, jump))
                return false;
        }

        if (loops)
            undefinedAtStart = AppendLoopEnd(draft);
        // The second round begins with the flags of the first.
        return !draft.ReadsUndefined(undefinedAtStart, _undefined);
    }

    // One instruction, and maybe a conditional jump before it that leaps over it.
    private bool TryAppend(Draft draft, OpCodeInfo form, OpCodeInfo? jump)
    {
        Instruction instruction = default;
        instruction.Code = form.Code;
        if (!TrySetOperands(draft, form, ref instruction))
            return false;
        ulong address = draft.End + (jump is null ? 0UL : 2UL);
        if (!_encoder.TryEncode(instruction, address))
            return false;
        byte[] body = _encoder.Code.ToArray();
        // Decoded again: only then are all properties of the instruction what they will be.
        instruction = _encoder.Decode(address);
        if (_undefined.AtWorst(instruction).Destination == UndefinedDestination.All)
            return false;

        if (jump is not null)
            Append(draft, Instruction.CreateBranch(jump.Code, address + (ulong)body.Length));
        draft.Append(body, instruction, jump is null ? Execution.Always : Execution.Maybe);
        return true;
    }

    private bool TrySetOperands(Draft draft, OpCodeInfo form, ref Instruction instruction)
    {
        CaseRandom random = draft.Case.Random;
        for (int i = 0; i < form.OpCount; i++)
        {
            OpCodeOperandKind kind = form.GetOpKind(i);
            if (OperandRegisters.IsMemoryOnly(kind) || (OperandRegisters.MayBeMemory(kind) && !IsBitString(form) && random.Percent(40)))
            {
                instruction.SetOpKind(i, OpKind.Memory);
                instruction.MemoryBase = random.Percent(3) ? draft.AbsentBase : draft.WindowBase;
                instruction.MemoryDisplSize = 1;
                instruction.MemoryDisplacement64 = (ulong)(random.Below(200) - 100);
            }
            else if (OperandRegisters.MayBeMemory(kind) || OperandRegisters.TryDraw(kind, random, out _))
            {
                if (!draft.TryDrawRegister(kind, out Register register))
                    return false;
                instruction.SetOpKind(i, OpKind.Register);
                instruction.SetOpRegister(i, register);
            }
            else
            {
                OperandImmediates.Set(draft.Case, form, ref instruction, i);
            }
        }

        return true;
    }

    // A bit number that is not known reaches far beyond the window, into code and the kernel's half.
    private static bool IsBitString(OpCodeInfo form) =>
        form.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && !OperandImmediates.IsImmediate(form.Op1Kind);

    // DEC and JNZ, the pair that is likeliest to be fused, or LOOP. Returns the flags that are undefined after a round.
    private ulong AppendLoopEnd(Draft draft)
    {
        CaseRandom random = draft.Case.Random;
        ulong start = draft.Case.Case.CodeAddress;
        Register counter = draft.Counter;
        switch (random.Below(3))
        {
            case 0 when counter == Register.RCX:
                Append(draft, Instruction.CreateBranch(Code.Loop_rel8_64_RCX, start));
                break;
            case 1:
                Append(draft, Instruction.Create(Code.Sub_rm64_imm8, counter, 1));
                Append(draft, Instruction.CreateBranch(Code.Jne_rel8_64, start));
                break;
            default:
                Append(draft, Instruction.Create(Code.Dec_rm64, counter));
                Append(draft, Instruction.CreateBranch(Code.Jne_rel8_64, start));
                break;
        }

        draft.Case.Pin(counter, 1 + (ulong)random.Below(4));
        return draft.UndefinedAtEnd(0, _undefined);
    }

    private void Append(Draft draft, in Instruction instruction)
    {
        ulong address = draft.End;
        if (!_encoder.TryEncode(instruction, address))
            throw new InvalidOperationException($"{instruction} cannot be encoded.");
        draft.Append(_encoder.Code, _encoder.Decode(address), Execution.Always);
    }

    private static ulong ToFlags(RflagsBits bits)
    {
        ulong flags = 0;
        foreach ((RflagsBits bit, ulong flag) in Bits)
            flags |= (bits & bit) != 0 ? flag : 0;
        return flags;
    }

    private enum Execution
    {
        Always,

        /// <summary>A conditional jump may leap over it.</summary>
        Maybe,
    }

    /// <summary>The sequence so far, with the registers that its instructions must leave alone.</summary>
    private sealed class Draft
    {
        private readonly List<(Instruction Instruction, Execution Execution)> _instructions = [];
        private readonly bool[] _reserved = new bool[16];

        public Draft(CaseRandom random)
        {
            Case = new CaseDraft(random);
            Case.Case.CodeAddress = ScratchMemory.CodeStart + (ulong)random.Below(ScratchMemory.CodeBytes - CodeBuffer.Bytes);
            ulong middle = Case.Case.WindowAddress + (WindowBuffer.Bytes / 2);
            WindowBase = Reserve(middle);
            AbsentBase = Reserve(ScratchMemory.DataStart - 0x800);
            Counter = random.Percent(50) && !_reserved[1] ? Register.RCX : Reserve(0);
            _reserved[CaseDraft.NumberOf(Counter)] = true;
            _reserved[CaseDraft.NumberOf(Register.RSP)] = true;
            Case.Pin(Register.RSP, middle & ~7UL);
            if (random.Percent(30))
                MakeNeighbours();
        }

        public CaseDraft Case { get; }

        /// <summary>Holds the middle of the window.</summary>
        public Register WindowBase { get; }

        /// <summary>Holds an address where there is no page.</summary>
        public Register AbsentBase { get; }

        /// <summary>Counts rounds of a loop.</summary>
        public Register Counter { get; }

        public ulong End => Case.Case.CodeAddress + Case.Case.CodeLength;

        public bool HasRoomFor(int bytes) => Case.Case.CodeLength + (ulong)bytes <= CodeBuffer.Bytes;

        public void Append(ReadOnlySpan<byte> code, in Instruction instruction, Execution execution)
        {
            ref InstructionCase test = ref Case.Case;
            code.CopyTo(((Span<byte>)test.Code)[(int)test.CodeLength..]);
            test.CodeLength += (ulong)code.Length;
            _instructions.Add((instruction, execution));
        }

        /// <summary>Draws a register that instructions may change. AL, AX, CL and the like are what they are.</summary>
        public bool TryDrawRegister(OpCodeOperandKind kind, out Register register)
        {
            if (OperandRegisters.MayBeMemory(kind))
                register = OperandRegisters.Draw(OperandRegisters.WidthInBits(kind), Case.Random);
            else if (!OperandRegisters.TryDraw(kind, Case.Random, out register))
                return false;
            return !register.IsGPR() || !_reserved[CaseDraft.NumberOf(register)];
        }

        public bool ReadsUndefined(ulong undefined, UndefinedFlags table)
        {
            foreach ((Instruction instruction, Execution execution) in _instructions)
            {
                if ((ToFlags(instruction.RflagsRead) & undefined) != 0)
                    return true;
                undefined = Step(undefined, instruction, execution, table);
            }

            return false;
        }

        public ulong UndefinedAtEnd(ulong undefined, UndefinedFlags table)
        {
            foreach ((Instruction instruction, Execution execution) in _instructions)
                undefined = Step(undefined, instruction, execution, table);
            return undefined;
        }

        // What an instruction surely defines, it defines; a shift may have no count, and one that is leapt over does nothing.
        private static ulong Step(ulong undefined, in Instruction instruction, Execution execution, UndefinedFlags table)
        {
            if (execution == Execution.Always && !ImplicitOperands.TakesShiftCount(instruction.Mnemonic))
                undefined &= ~ToFlags(instruction.RflagsWritten | instruction.RflagsCleared | instruction.RflagsSet);
            return undefined | table.AtWorst(instruction).Flags;
        }

        // Random values are hardly ever equal: let all registers be within one of each other.
        private void MakeNeighbours()
        {
            ulong value = Case.Random.Corner();
            for (int i = 0; i < 16; i++)
                Case.Suggest(Register.RAX + i, unchecked(value + (ulong)Case.Random.Below(3) - 1));
        }

        private Register Reserve(ulong value)
        {
            Register register;
            do
                register = Register.RAX + Case.Random.Below(16);
            while (_reserved[CaseDraft.NumberOf(register)] || register is Register.RSP or Register.RAX or Register.RDX);
            _reserved[CaseDraft.NumberOf(register)] = true;
            Case.Pin(register, value);
            return register;
        }
    }
}
