namespace Mmu86.Lab.Machines;

/// <summary>The register in which a leaf of CPUID reports a feature.</summary>
public enum CpuidRegister
{
    Eax,
    Ebx,
    Ecx,
    Edx,
}
