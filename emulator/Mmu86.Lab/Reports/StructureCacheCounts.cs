namespace Mmu86.Lab.Reports;

/// <summary>The caches of partial walks. One that the machine does not have, or that native paging leaves unused, is null.</summary>
public sealed record StructureCacheCounts
{
    /// <summary>PML5 entries.</summary>
    public HitCounts? Pml5e { get; init; }

    /// <summary>PML4 entries.</summary>
    public HitCounts? Pml4e { get; init; }

    /// <summary>PDPT entries.</summary>
    public HitCounts? Pdpte { get; init; }

    /// <summary>Page-directory entries.</summary>
    public HitCounts? Pde { get; init; }

    /// <summary>EPT PML4 entries.</summary>
    public HitCounts? EptPml4e { get; init; }

    /// <summary>EPT PDPT entries.</summary>
    public HitCounts? EptPdpte { get; init; }

    /// <summary>EPT page-directory entries.</summary>
    public HitCounts? EptPde { get; init; }

    /// <summary>Guest-physical to host-physical translations.</summary>
    public HitCounts? NestedTlb { get; init; }

    /// <summary>What was counted between two moments of one machine.</summary>
    public StructureCacheCounts Since(StructureCacheCounts earlier) => new()
    {
        Pml5e = Since(Pml5e, earlier.Pml5e),
        Pml4e = Since(Pml4e, earlier.Pml4e),
        Pdpte = Since(Pdpte, earlier.Pdpte),
        Pde = Since(Pde, earlier.Pde),
        EptPml4e = Since(EptPml4e, earlier.EptPml4e),
        EptPdpte = Since(EptPdpte, earlier.EptPdpte),
        EptPde = Since(EptPde, earlier.EptPde),
        NestedTlb = Since(NestedTlb, earlier.NestedTlb),
    };

    private static HitCounts? Since(HitCounts? later, HitCounts? earlier) => earlier is null ? later : later?.Since(earlier);
}
