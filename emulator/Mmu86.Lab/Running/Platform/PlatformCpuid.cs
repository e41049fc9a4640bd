using Mmu86.Cpu;

namespace Mmu86.Lab.Running.Platform;

/// <summary>CPUID of a machine that has a local APIC.</summary>
/// <param name="processor">What the processor says without it.</param>
internal sealed class PlatformCpuid(ICpuidSource processor) : ICpuidSource
{
    private const uint FeatureLeaf = 1;
    private const uint Apic = 1u << 9;
    private const uint X2Apic = 1u << 21;
    private const uint TimeStampDeadline = 1u << 24;

    /// <inheritdoc/>
    public CpuidResult Read(uint leaf, uint subleaf)
    {
        CpuidResult result = processor.Read(leaf, subleaf);
        return leaf == FeatureLeaf
            ? result with { Ecx = result.Ecx | X2Apic | TimeStampDeadline, Edx = result.Edx | Apic }
            : result;
    }
}
