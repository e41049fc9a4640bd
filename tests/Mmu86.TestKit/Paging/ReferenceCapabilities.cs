using Mmu86.Paging;

namespace Mmu86.TestKit.Paging;

/// <summary>What CPUID and the VMX capability registers would tell the reference walker.</summary>
public sealed record ReferenceCapabilities
{
    /// <summary>MAXPHYADDR.</summary>
    public required int PhysicalAddressBits { get; init; }

    /// <summary>CPUID.80000001H:EDX.Page1GB.</summary>
    public required bool HasPage1G { get; init; }

    /// <summary>CPUID.01H:EDX.PSE-36.</summary>
    public required bool HasPse36 { get; init; }

    /// <summary>Whether the processor is one of AMD's, which reserves bit 8 of PML4 and PML5 entries.</summary>
    public required bool ReservesBit8AbovePdpte { get; init; }

    /// <summary>IA32_VMX_EPT_VPID_CAP[0]: an EPT entry may allow execution without reading.</summary>
    public required bool HasExecuteOnlyEpt { get; init; }

    /// <summary>IA32_VMX_EPT_VPID_CAP[16]: an EPT PDE may map a page. The same for nested tables of AMD, where it is always so.</summary>
    public required bool HasEptPage2M { get; init; }

    /// <summary>IA32_VMX_EPT_VPID_CAP[17]: an EPT PDPTE may map a page. The same for nested tables of AMD.</summary>
    public required bool HasEptPage1G { get; init; }

    /// <summary>IA32_VMX_EPT_VPID_CAP[22]: "advanced VM-exit information for EPT violations".</summary>
    public required bool TellsViolationDetails { get; init; }

    /// <summary>Whether the second dimension is AMD's.</summary>
    public required bool HasNpt { get; init; }

    /// <summary>The capabilities that the emulated machine of a configuration has.</summary>
    public static ReferenceCapabilities Of(MmuConfiguration configuration) => new()
    {
        PhysicalAddressBits = configuration.PhysicalAddressBits,
        HasPage1G = configuration.HasPage1G,
        HasPse36 = configuration.HasPse36,
        ReservesBit8AbovePdpte = configuration.ReservesBit8AbovePdpte,
        HasExecuteOnlyEpt = configuration.Nested.ExecuteOnly,
        HasEptPage2M = configuration.Nested.LargestPage != "4k",
        HasEptPage1G = configuration.Nested.LargestPage == "1g",
        TellsViolationDetails = configuration.Nested.ViolationDetails,
        HasNpt = configuration.Nested.Format == NestedFormat.Npt,
    };
}
