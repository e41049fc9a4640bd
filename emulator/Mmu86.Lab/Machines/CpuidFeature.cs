namespace Mmu86.Lab.Machines;

/// <summary>One feature bit. SDM 2, "CPUID—CPU Identification".</summary>
/// <param name="Name">The name that Linux gives it in /proc/cpuinfo, which is what most people search for.</param>
/// <param name="Leaf">The leaf.</param>
/// <param name="Subleaf">The subleaf; 0 where the leaf has none.</param>
/// <param name="Register">The register of the leaf.</param>
/// <param name="Bit">The bit, 0 to 31.</param>
public sealed record CpuidFeature(string Name, uint Leaf, uint Subleaf, CpuidRegister Register, int Bit);
