using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Draws registers for operands.</summary>
internal static class OperandRegisters
{
    private static readonly Register[] Control = [Register.CR0, Register.CR2, Register.CR3, Register.CR4, Register.CR8];
    private static readonly Register[] Debug = [Register.DR0, Register.DR1, Register.DR2, Register.DR3, Register.DR6, Register.DR7];
    private static readonly Register[] Segments = [Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS];

    /// <summary>Whether an operand is memory in any case.</summary>
    public static bool IsMemoryOnly(OpCodeOperandKind kind) => kind == OpCodeOperandKind.mem;

    /// <summary>Whether an operand is a register or memory.</summary>
    public static bool MayBeMemory(OpCodeOperandKind kind) =>
        kind is OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem;

    /// <summary>The register of an operand that can be nothing else.</summary>
    public static bool TryDraw(OpCodeOperandKind kind, CaseRandom random, out Register register)
    {
        register = kind switch
        {
            OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => Draw(8, random),
            OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_opcode => Draw(16, random),
            OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_opcode or OpCodeOperandKind.r32_rm => Draw(32, random),
            OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_opcode or OpCodeOperandKind.r64_rm => Draw(64, random),
            OpCodeOperandKind.al => Register.AL,
            OpCodeOperandKind.ax => Register.AX,
            OpCodeOperandKind.eax => Register.EAX,
            OpCodeOperandKind.rax => Register.RAX,
            OpCodeOperandKind.cl => Register.CL,
            OpCodeOperandKind.dx => Register.DX,
            OpCodeOperandKind.fs => Register.FS,
            OpCodeOperandKind.gs => Register.GS,
            OpCodeOperandKind.cr_reg => random.Pick<Register>(Control),
            OpCodeOperandKind.dr_reg => random.Pick<Register>(Debug),
            OpCodeOperandKind.seg_reg => random.Pick<Register>(Segments),
            _ => Register.None,
        };
        return register != Register.None;
    }

    /// <summary>The width of a register-or-memory operand.</summary>
    public static int WidthInBits(OpCodeOperandKind kind) => kind switch
    {
        OpCodeOperandKind.r8_or_mem => 8,
        OpCodeOperandKind.r16_or_mem => 16,
        OpCodeOperandKind.r32_or_mem => 32,
        OpCodeOperandKind.r64_or_mem => 64,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Not a register-or-memory operand."),
    };

    /// <summary>A general-purpose register of a width. Among bytes, AH to BH and the low bytes of all sixteen registers.</summary>
    public static Register Draw(int widthInBits, CaseRandom random) => widthInBits switch
    {
        // Twenty neighbours in Iced's numbering: AL to BL, AH to BH, SPL to DIL, R8L to R15L.
        8 => Register.AL + random.Below(20),
        16 => Register.AX + random.Below(16),
        32 => Register.EAX + random.Below(16),
        64 => Register.RAX + random.Below(16),
        _ => throw new ArgumentOutOfRangeException(nameof(widthInBits), widthInBits, "No such register."),
    };
}
