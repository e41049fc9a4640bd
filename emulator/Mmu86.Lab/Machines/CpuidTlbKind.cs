namespace Mmu86.Lab.Machines;

/// <summary>What a TLB of the extended leaves translates.</summary>
public enum CpuidTlbKind
{
    Data,
    Instruction,
}
