namespace Mmu86.Lab.Machines;

/// <summary>What the processor says about itself. The structures that it really has are in <see cref="MmuDescription"/>; silicon differs too.</summary>
public sealed record CpuidDescription
{
    /// <summary>The vendor, exactly 12 ASCII characters: leaf 0.</summary>
    public required string Vendor { get; init; }

    /// <summary>The brand string, at most 47 ASCII characters: leaves 80000002H to 80000004H.</summary>
    public required string Brand { get; init; }

    /// <summary>The displayed family, 1 to 270: base family plus extended family.</summary>
    public required int Family { get; init; }

    /// <summary>The displayed model, 0 to 255.</summary>
    public required int Model { get; init; }

    /// <summary>The stepping, 0 to 15.</summary>
    public required int Stepping { get; init; }

    /// <summary>MAXPHYADDR, 36 to 52: leaf 80000008H. Bits of a paging entry from here to 51 are reserved.</summary>
    public required int PhysicalAddressBits { get; init; }

    /// <summary>The linear-address width: leaf 80000008H. 57 with the feature la57, else 48.</summary>
    public required int LinearAddressBits { get; init; }

    /// <summary>The features, by the names of <see cref="CpuidFeatures"/>.</summary>
    public required IReadOnlyList<string> Features { get; init; }

    /// <summary>
    /// The bytes of leaf 2 behind AL in the order of the registers, each as <c>0x..</c>, with 0x00 where a register has a gap; empty where the vendor
    /// does not use the leaf. What is reported, not what is modelled.
    /// </summary>
    public required IReadOnlyList<string> TlbDescriptors { get; init; }

    /// <summary>Leaf 18H from subleaf 1 on. Null where the processor does not have the leaf.</summary>
    public IReadOnlyList<CpuidTranslationCache>? TranslationCaches { get; init; }

    /// <summary>The TLBs of AMD's leaves 80000005H, 80000006H and 80000019H. Null where the vendor does not use them.</summary>
    public IReadOnlyList<CpuidExtendedTlb>? ExtendedTlbs { get; init; }

    /// <summary>The caches of leaf 4, or of AMD's leaves 80000005H and 80000006H. Null where none are reported.</summary>
    public IReadOnlyList<CpuidCache>? Caches { get; init; }
}
