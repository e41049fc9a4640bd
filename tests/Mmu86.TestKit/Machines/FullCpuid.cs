using Mmu86.Cpu;

namespace Mmu86.TestKit.Machines;

/// <summary>A processor with every feature, less those named and less 5-level paging, which widens every canonical address.</summary>
public sealed class FullCpuid : ICpuidSource
{
    /// <summary>CPUID.(EAX=07H,ECX=0):ECX.LA57.</summary>
    public const uint LinearAddress57 = 1u << 16;

    /// <summary>Cleared in ECX of leaf 1.</summary>
    public uint BasicEcxWithout { get; init; }

    /// <summary>Cleared in EDX of leaf 1.</summary>
    public uint BasicEdxWithout { get; init; }

    /// <summary>Cleared in EBX of leaf 7.</summary>
    public uint StructuredEbxWithout { get; init; }

    /// <summary>Cleared in ECX of leaf 7; LA57 to begin with.</summary>
    public uint StructuredEcxWithout { get; init; } = LinearAddress57;

    /// <summary>Cleared in EAX of subleaf 1 of leaf 7.</summary>
    public uint StructuredMoreEaxWithout { get; init; }

    /// <summary>Cleared in EDX of leaf 80000001H.</summary>
    public uint ExtendedEdxWithout { get; init; }

    /// <summary>EBX of leaf 80000008H: features that only AMD's processors have.</summary>
    public uint AddressEbx { get; init; }

    /// <summary>MAXPHYADDR.</summary>
    public int PhysicalAddressBits { get; init; } = 46;

    /// <inheritdoc/>
    public CpuidResult Read(uint leaf, uint subleaf) => leaf switch
    {
        0 => new CpuidResult(7, 0x756E_6547, 0x6C65_746E, 0x4965_6E69),
        1 => new CpuidResult(0x506E3, 0x0001_0800, ~BasicEcxWithout, ~BasicEdxWithout),
        7 when subleaf == 1 => new CpuidResult(~StructuredMoreEaxWithout, 0, 0, 0),
        7 => new CpuidResult(1, ~StructuredEbxWithout, ~StructuredEcxWithout, uint.MaxValue),
        0x8000_0000 => new CpuidResult(0x8000_0008, 0, 0, 0),
        0x8000_0001 => new CpuidResult(0, 0, uint.MaxValue, ~ExtendedEdxWithout),
        0x8000_0008 => new CpuidResult((uint)PhysicalAddressBits | (48 << 8), AddressEbx, 0, AddressEbx == 0 ? 0u : 7),
        _ => default,
    };
}
