using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Draws immediate operands and near branch targets.</summary>
internal static class OperandImmediates
{
    /// <summary>Whether an operand is an immediate.</summary>
    public static bool IsImmediate(OpCodeOperandKind kind) => KindOf(kind) is not null;

    /// <summary>Draws an immediate that suits the instruction.</summary>
    public static void Set(CaseDraft draft, OpCodeInfo form, ref Instruction instruction, int operand)
    {
        OpCodeOperandKind kind = form.GetOpKind(operand);
        ulong value = kind == OpCodeOperandKind.imm8_const_1 ? 1 : Draw(draft.Random, form, operand);
        instruction.SetOpKind(operand, form.Mnemonic == Mnemonic.Enter && operand == 1 ? OpKind.Immediate8_2nd : KindOf(kind)!.Value);
        switch (instruction.GetOpKind(operand))
        {
            case OpKind.Immediate8:
                instruction.Immediate8 = (byte)value;
                break;
            case OpKind.Immediate8_2nd:
                instruction.Immediate8_2nd = (byte)value;
                break;
            case OpKind.Immediate8to16:
                instruction.Immediate8to16 = (sbyte)value;
                break;
            case OpKind.Immediate8to32:
                instruction.Immediate8to32 = (sbyte)value;
                break;
            case OpKind.Immediate8to64:
                instruction.Immediate8to64 = (sbyte)value;
                break;
            case OpKind.Immediate16:
                instruction.Immediate16 = (ushort)value;
                break;
            case OpKind.Immediate32:
                instruction.Immediate32 = (uint)value;
                break;
            case OpKind.Immediate32to64:
                instruction.Immediate32to64 = (int)value;
                break;
            case OpKind.Immediate64:
                instruction.Immediate64 = value;
                break;
        }
    }

    /// <summary>A target of a near branch: mostly INT3 in the code pages, now and then a page that is absent or must not be executed.</summary>
    public static ulong ChooseNearBranch(CaseDraft draft, OpCodeOperandKind kind)
    {
        CaseRandom random = draft.Random;
        if (kind == OpCodeOperandKind.br64_1)
        {
            // Forwards behind the instruction or backwards before it, never into it: that would be another test.
            long distance = random.Percent(50) ? random.Below(100) + 16 : -random.Below(100) - 1;
            return draft.Case.CodeAddress + (ulong)distance;
        }

        return random.Below(20) switch
        {
            0 => ScratchMemory.CodeStart - 1 - (ulong)random.Below(0x800),
            1 => ScratchMemory.DataStart + (ulong)random.Below(ScratchMemory.DataBytes + ScratchMemory.ReadOnlyBytes),
            _ => draft.BranchTarget(),
        };
    }

    private static ulong Draw(CaseRandom random, OpCodeInfo form, int operand)
    {
        if (ImplicitOperands.TakesShiftCount(form.Mnemonic))
            return ImplicitOperands.ShiftCount(random);
        // Most frames small; the nesting level is taken modulo 32.
        if (form.Mnemonic == Mnemonic.Enter && random.Percent(80))
            return (ulong)random.Below(operand == 0 ? 64 : 5);
        return random.Corner();
    }

    private static OpKind? KindOf(OpCodeOperandKind kind) => kind switch
    {
        OpCodeOperandKind.imm8 or OpCodeOperandKind.imm8_const_1 => OpKind.Immediate8,
        OpCodeOperandKind.imm8sex16 => OpKind.Immediate8to16,
        OpCodeOperandKind.imm8sex32 => OpKind.Immediate8to32,
        OpCodeOperandKind.imm8sex64 => OpKind.Immediate8to64,
        OpCodeOperandKind.imm16 => OpKind.Immediate16,
        OpCodeOperandKind.imm32 => OpKind.Immediate32,
        OpCodeOperandKind.imm32sex64 => OpKind.Immediate32to64,
        OpCodeOperandKind.imm64 => OpKind.Immediate64,
        _ => null,
    };
}
