namespace Mmu86.Lab.Machines;

/// <summary>What a cache holds. The numbers are those of leaf 4. SDM 2, "CPUID—CPU Identification".</summary>
public enum CpuidCacheKind
{
    Data = 1,
    Instruction = 2,
    Unified = 3,
}
