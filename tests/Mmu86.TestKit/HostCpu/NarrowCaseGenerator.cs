using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Makes test cases of one instruction of 16- or 32-bit code each: every form in turn, in flat segments and in segments with limits.</summary>
/// <remarks>A case follows from seed and index alone.</remarks>
public sealed class NarrowCaseGenerator
{
    private const int MaximumInstructionBytes = 15;
    private const int Attempts = 1000;

    // So many cases run in the same segments: a change of CS empties the filter, and warm cases are wanted too.
    private const ulong CasesOfSegments = 400;

    private readonly ulong _seed;
    private readonly IReadOnlyList<OpCodeInfo> _forms = InstructionForms.Narrow;
    private readonly SplitLocks _splitLocks;
    private readonly InstructionEncoder _encoder16 = new(16);
    private readonly InstructionEncoder _encoder32 = new(32);

    /// <summary>Makes a generator.</summary>
    public NarrowCaseGenerator(ulong seed, SplitLocks splitLocks)
    {
        _seed = seed;
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
            if (TryCreate(draft, form, (ulong)index / CasesOfSegments))
                return Narrowed(draft.Case);
        }

        throw new InvalidOperationException($"No narrow case for {form} came about in {Attempts} attempts.");
    }

    private bool TryCreate(CaseDraft draft, OpCodeInfo form, ulong segments)
    {
        CaseRandom random = draft.Random;
        NarrowOperands.ChooseSegments(draft, new CaseRandom(~_seed, segments));
        draft.Case.CodeAddress = ScratchMemory.CodeStart + (ulong)random.Below(ScratchMemory.CodeBytes - CodeBuffer.Bytes);
        if (random.Percent(4))
            draft.Case.CodeAddress = ScratchMemory.CodeStart + (random.Percent(50) ? 0x1000u : 0x2000u) - 1 - (ulong)random.Below(6);
        bool is32Bit = draft.Case.CodeBits == 32;

        Instruction instruction = default;
        instruction.Code = form.Code;
        NarrowOperands.PrepareImplicit(draft, form, is32Bit);
        if (!TrySetOperands(draft, form, ref instruction))
            return false;
        if (form.CanUseLockPrefix && instruction.Op0Kind == OpKind.Memory && random.Percent(30))
            instruction.HasLockPrefix = true;
        InstructionEncoder encoder = is32Bit ? _encoder32 : _encoder16;
        byte? prefix = !form.CanUseLockPrefix && random.Percent(1) ? (byte)0xF0 : null;
        if (!encoder.TryEncode(instruction, draft.Case.EntryPoint, prefix) || encoder.Code.Length > MaximumInstructionBytes)
            return false;
        ulong room = ScratchMemory.CodeStart + ScratchMemory.CodeBytes - draft.Case.CodeAddress;
        if (room < (ulong)encoder.Code.Length && form.Mnemonic is Mnemonic.Ud0 or Mnemonic.Ud1)
            return false;
        draft.Case.CodeLength = Math.Min((ulong)encoder.Code.Length, room);
        encoder.Code[..(int)draft.Case.CodeLength].CopyTo(draft.Case.Code);
        return true;
    }

    private bool TrySetOperands(CaseDraft draft, OpCodeInfo form, ref Instruction instruction)
    {
        CaseRandom random = draft.Random;
        for (int i = 0; i < form.OpCount; i++)
        {
            OpCodeOperandKind kind = form.GetOpKind(i);
            if (OperandRegisters.IsMemoryOnly(kind) || kind == OpCodeOperandKind.mem_offs || kind == OpCodeOperandKind.seg_rBX_al
                || (OperandRegisters.MayBeMemory(kind) && random.Percent(60)))
            {
                // Last, when the registers of the others are known.
                instruction.SetOpKind(i, OpKind.Memory);
            }
            else if (OperandRegisters.MayBeMemory(kind))
            {
                SetRegister(ref instruction, i, NarrowOperands.Draw(OperandRegisters.WidthInBits(kind), random));
            }
            else if (NarrowOperands.TryDraw(kind, random, out Register register))
            {
                SetRegister(ref instruction, i, register);
            }
            else if (OperandImmediates.IsImmediate(kind))
            {
                OperandImmediates.Set(draft, form, ref instruction, i);
            }
            else if (!NarrowOperands.TrySetBranch(draft, ref instruction, i, kind) && !NarrowOperands.TrySetString(draft, form, ref instruction, i, kind))
            {
                throw new InvalidOperationException($"{form.Code} has an operand {kind}.");
            }
        }

        for (int i = 0; i < form.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return NarrowOperands.TryPlanMemory(draft, form, ref instruction, form.GetOpKind(i), _splitLocks);
        }

        return !NarrowOperands.IsIndirectBranch(form) || NarrowOperands.TryPinTarget(draft, instruction.Op0Register);
    }

    private static void SetRegister(ref Instruction instruction, int operand, Register register)
    {
        instruction.SetOpKind(operand, OpKind.Register);
        instruction.SetOpRegister(operand, register);
    }

    private static InstructionCase Narrowed(InstructionCase test)
    {
        for (int i = 0; i < 16; i++)
            test.Registers[i] = i < 8 ? (uint)test.Registers[i] : 0;
        return test;
    }
}
