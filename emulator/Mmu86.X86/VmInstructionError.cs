namespace Mmu86.X86;

/// <summary>Why a VMX instruction failed: VMfailValid with this number. SDM 3, "VM Instruction Error Numbers".</summary>
public enum VmInstructionError
{
    /// <summary>VMsucceed.</summary>
    None = 0,

    /// <summary>"Invalid operand to INVEPT/INVVPID".</summary>
    InvalidOperandToInvalidation = 28,
}
