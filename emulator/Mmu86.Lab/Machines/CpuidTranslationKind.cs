namespace Mmu86.Lab.Machines;

/// <summary>What a translation cache of leaf 18H translates. The numbers are those of the leaf. SDM 2, "CPUID—CPU Identification".</summary>
public enum CpuidTranslationKind
{
    Data = 1,
    Instruction = 2,
    Unified = 3,
    Load = 4,
    Store = 5,
}
