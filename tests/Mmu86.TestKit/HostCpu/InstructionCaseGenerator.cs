using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Makes test cases of one instruction each: every form in turn, with random operands, addresses, registers and flags.</summary>
/// <remarks>A case follows from seed and index alone, so that a failing one can be made again.</remarks>
public sealed class InstructionCaseGenerator
{
    private const int MaximumInstructionBytes = 15;
    private const int Attempts = 1000;

    private readonly ulong _seed;
    private readonly IReadOnlyList<OpCodeInfo> _forms;
    private readonly SplitLocks _splitLocks;
    private readonly InstructionEncoder _encoder = new();

    /// <summary>Makes a generator.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="forms">The forms to go through.</param>
    /// <param name="splitLocks">Whether locked operands may cross cache lines.</param>
    public InstructionCaseGenerator(ulong seed, IReadOnlyList<OpCodeInfo> forms, SplitLocks splitLocks)
    {
        _seed = seed;
        _forms = forms;
        _splitLocks = splitLocks;
    }

    /// <summary>The case of an index.</summary>
    public InstructionCase Create(long index)
    {
        OpCodeInfo form = _forms[(int)(index % _forms.Count)];
        CaseRandom random = new(_seed, (ulong)index);
        for (int i = 0; i < Attempts; i++)
        {
            CaseDraft draft = new(random);
            if (TryCreate(draft, form))
                return draft.Case;
        }

        throw new InvalidOperationException($"No case for {form} came about in {Attempts} attempts.");
    }

    private bool TryCreate(CaseDraft draft, OpCodeInfo form)
    {
        CaseRandom random = draft.Random;
        draft.Case.CodeAddress = ChooseCodeAddress(random);

        Instruction instruction = default;
        instruction.Code = form.Code;
        ulong operand = 0;
        ulong? target = null;
        if (StringOperandPlanner.Applies(form))
        {
            StringOperandPlanner.Plan(draft, form, ref instruction);
            SetRegisterOperands(draft, form, ref instruction);
        }
        else
        {
            ImplicitOperands.Prepare(draft, form);
            SetRegisterOperands(draft, form, ref instruction);
            if (!TrySetMemoryOperand(draft, form, ref instruction, ref target))
                return false;
            operand = ReadFirstOperand(draft, instruction, target);
        }

        ImplicitOperands.Finish(draft, form, operand);
        if (target is { } address && form.Mnemonic is Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b)
            ImplicitOperands.FinishCompareExchange(draft, form, draft.Load(address), draft.Load(address + 8));

        if (form.CanUseLockPrefix && instruction.Op0Kind == OpKind.Memory && random.Percent(30))
            instruction.HasLockPrefix = true;
        if (!_encoder.TryEncode(instruction, draft.Case.CodeAddress, ChooseUselessPrefix(random, form)))
            return false;
        if (target is not null && !LandsOn(draft, form, target.Value))
            return false;
        return _encoder.Code.Length <= MaximumInstructionBytes && TryPlace(draft, form);
    }

    // Anywhere in the code pages; now and then across their boundary, or off their end.
    private static ulong ChooseCodeAddress(CaseRandom random)
    {
        ulong offset = random.Below(50) switch
        {
            0 => ScratchMemory.CodeBytes - 1 - (ulong)random.Below(6),
            1 or 2 => 0x1000 - 1 - (ulong)random.Below(6),
            _ => (ulong)random.Below(ScratchMemory.CodeBytes - CodeBuffer.Bytes),
        };
        return ScratchMemory.CodeStart + offset;
    }

    private void SetRegisterOperands(CaseDraft draft, OpCodeInfo form, ref Instruction instruction)
    {
        CaseRandom random = draft.Random;
        for (int i = 0; i < form.OpCount; i++)
        {
            OpCodeOperandKind kind = form.GetOpKind(i);
            if (OperandRegisters.TryDraw(kind, random, out Register register))
            {
                instruction.SetOpRegister(i, register);
                instruction.SetOpKind(i, OpKind.Register);
            }
            else if (OperandImmediates.IsImmediate(kind))
            {
                OperandImmediates.Set(draft, form, ref instruction, i);
            }
            else if (kind is OpCodeOperandKind.br64_1 or OpCodeOperandKind.br64_4)
            {
                instruction.SetOpKind(i, OpKind.NearBranch64);
                instruction.NearBranch64 = OperandImmediates.ChooseNearBranch(draft, kind);
            }
        }
    }

    private bool TrySetMemoryOperand(CaseDraft draft, OpCodeInfo form, ref Instruction instruction, ref ulong? target)
    {
        for (int i = 0; i < form.OpCount; i++)
        {
            switch (form.GetOpKind(i))
            {
                case OpCodeOperandKind.seg_rBX_al:
                    target = PlanTranslate(draft, ref instruction);
                    return true;
                case OpCodeOperandKind.mem_offs:
                    target = OperandAddress.Choose(draft, form.MemorySize.GetSize(), OperandUse.Data, _splitLocks);
                    instruction.SetOpKind(i, OpKind.Memory);
                    return PlanAbsolute(draft, ref instruction, target.Value);
                case OpCodeOperandKind kind when OperandRegisters.IsMemoryOnly(kind) || (OperandRegisters.MayBeMemory(kind) && draft.Random.Percent(60)):
                    instruction.SetOpKind(i, OpKind.Memory);
                    return TryPlanModRm(draft, form, ref instruction, ref target);
                case OpCodeOperandKind kind when OperandRegisters.MayBeMemory(kind):
                    Register register = OperandRegisters.Draw(OperandRegisters.WidthInBits(kind), draft.Random);
                    instruction.SetOpKind(i, OpKind.Register);
                    instruction.SetOpRegister(i, register);
                    return TrySetBranchRegister(draft, form, register);
            }
        }

        return true;
    }

    private bool TryPlanModRm(CaseDraft draft, OpCodeInfo form, ref Instruction instruction, ref ulong? target)
    {
        int bytes = Math.Max(1, form.MemorySize.GetSize());
        bool locked = form.CanUseLockPrefix || form.Mnemonic == Mnemonic.Xchg;
        OperandUse use = IsIndirectBranch(form) ? OperandUse.Controlled : locked ? OperandUse.Locked : OperandUse.Data;
        ulong linear = OperandAddress.Choose(draft, bytes, use, _splitLocks);
        if (form.Mnemonic == Mnemonic.Cmpxchg16b && draft.Random.Percent(85))
            linear &= ~15UL;
        if (IsIndirectBranch(form))
            draft.Store(linear, draft.BranchTarget(), 8);
        else if (draft.Random.Percent(60))
            draft.Store(linear, draft.Random.Corner(), bytes);

        ulong wanted = linear;
        if (instruction.Op1Kind == OpKind.Register && form.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc)
            wanted = MoveByBitOffset(draft, instruction.Op1Register, linear, bytes);
        ulong stackAdjustment = form.Mnemonic == Mnemonic.Pop ? (ulong)bytes : 0;
        if (!MemoryOperandPlanner.TryPlan(draft, ref instruction, wanted, stackAdjustment))
            return false;
        target = wanted;
        return true;
    }

    // A bit string: the register holds a signed bit number, and whole operands are skipped by it before the access.
    private static ulong MoveByBitOffset(CaseDraft draft, Register register, ulong linear, int bytes)
    {
        int bits = bytes * 8;
        long offset = draft.Random.Below(2048) - 1024;
        ulong mask = bits == 64 ? ulong.MaxValue : (1UL << bits) - 1;
        draft.Pin(register, ((ulong)offset & mask) | (draft.Random.Next() & ~mask));
        return unchecked(linear - (ulong)((offset >> (bytes == 2 ? 4 : bytes == 4 ? 5 : 6)) * bytes));
    }

    private static bool TrySetBranchRegister(CaseDraft draft, OpCodeInfo form, Register register)
    {
        if (!IsIndirectBranch(form))
            return true;
        if (draft.IsPinned(register) || register == Register.RSP)
            return false;
        draft.Pin(register, draft.BranchTarget());
        return true;
    }

    private static bool IsIndirectBranch(OpCodeInfo form) =>
        form.Code is Code.Call_rm64 or Code.Jmp_rm64;

    private ulong PlanTranslate(CaseDraft draft, ref Instruction instruction)
    {
        CaseRandom random = draft.Random;
        ulong linear = OperandAddress.Choose(draft, 1, OperandUse.Data, _splitLocks);
        ulong offset = unchecked(linear - MemoryOperandPlanner.ChooseSegment(draft, ref instruction, linear) - (byte)draft[Register.RAX]);
        bool is32Bit = offset <= uint.MaxValue - 0x100 && random.Percent(20);
        instruction.Op0Kind = OpKind.Memory;
        instruction.MemoryBase = is32Bit ? Register.EBX : Register.RBX;
        instruction.MemoryIndex = Register.AL;
        draft.Pin(Register.RAX, draft[Register.RAX]);
        draft.Pin(Register.RBX, is32Bit ? offset | (random.Next() << 32) : offset);
        return linear;
    }

    private static bool PlanAbsolute(CaseDraft draft, ref Instruction instruction, ulong linear)
    {
        ulong offset = unchecked(linear - MemoryOperandPlanner.ChooseSegment(draft, ref instruction, linear));
        bool is32Bit = offset <= uint.MaxValue && draft.Random.Percent(20);
        instruction.MemoryDisplSize = is32Bit ? 4 : 8;
        instruction.MemoryDisplacement64 = offset;
        return true;
    }

    private static ulong ReadFirstOperand(CaseDraft draft, in Instruction instruction, ulong? target)
    {
        if (instruction.OpCount == 0)
            return 0;
        if (instruction.Op0Kind == OpKind.Memory)
            return target is { } address ? draft.Load(address) & Mask(instruction.MemorySize.GetSize()) : 0;
        if (instruction.Op0Kind != OpKind.Register || !instruction.Op0Register.IsGPR())
            return 0;
        ulong value = draft[instruction.Op0Register];
        return instruction.Op0Register is >= Register.AH and <= Register.BH ? (value >> 8) & 0xFF : value & Mask(instruction.Op0Register.GetSize());
    }

    private static ulong Mask(int bytes) => bytes >= 8 ? ulong.MaxValue : (1UL << (bytes * 8)) - 1;

    // The decoder's own idea of the address; a difference is an error of this generator.
    private bool LandsOn(CaseDraft draft, OpCodeInfo form, ulong target)
    {
        Instruction decoded = _encoder.Decode(draft.Case.CodeAddress);
        // LOCK where it is not allowed; or a hint of a newer processor in the space of reserved NOPs.
        if (decoded.Code == Code.INVALID || form.IsReservedNop)
            return true;
        if (decoded.Code != form.Code)
            throw new InvalidOperationException($"{form.Code} was encoded, {decoded.Code} decoded.");
        int operand = decoded.Op0Kind == OpKind.Memory ? 0 : 1;
        InstructionCase test = draft.Case;
        ulong popped = form.Mnemonic == Mnemonic.Pop ? (ulong)decoded.MemorySize.GetSize() : 0;
        ulong address = decoded.GetVirtualAddress(operand, 0, (register, _, _) => register switch
        {
            Register.FS => test.FsBase,
            Register.GS => test.GsBase,
            Register.ES or Register.CS or Register.SS or Register.DS => 0,
            Register.AL => (byte)test.Registers[0],
            _ => ((register.GetSize() == 8 ? ulong.MaxValue : uint.MaxValue) & test.Registers[CaseDraft.NumberOf(register)])
                + (CaseDraft.NumberOf(register) == 4 ? popped : 0),
        });
        return address == target;
    }

    // Prefixes that change nothing, and LOCK where it is not allowed: an invalid opcode.
    private static byte? ChooseUselessPrefix(CaseRandom random, OpCodeInfo form)
    {
        if (random.Percent(10))
            return random.Pick<byte>([0x2E, 0x3E, 0x26, 0x66, 0x40, 0x48, 0x4F]);
        return !form.CanUseLockPrefix && !form.IsPrivileged && random.Percent(1) ? (byte)0xF0 : null;
    }

    private bool TryPlace(CaseDraft draft, OpCodeInfo form)
    {
        ReadOnlySpan<byte> code = _encoder.Code;
        ulong room = ScratchMemory.CodeStart + ScratchMemory.CodeBytes - draft.Case.CodeAddress;
        // Whether UD0 and UD1 have a ModRM byte to fetch depends on the maker.
        if (room < (ulong)code.Length && form.Mnemonic is Mnemonic.Ud0 or Mnemonic.Ud1)
            return false;
        draft.Case.CodeLength = Math.Min((ulong)code.Length, room);
        code[..(int)draft.Case.CodeLength].CopyTo(draft.Case.Code);
        return true;
    }
}
