using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The format of the tables below a guest.</summary>
public enum NestedFormat
{
    /// <summary>Intel's extended page tables.</summary>
    Ept,

    /// <summary>AMD's nested page tables: the ordinary paging format.</summary>
    Npt,
}

/// <summary>What a processor's second dimension of paging can do. SDM 3, "VPID and EPT Capabilities"; APM 2, "Nested Paging".</summary>
public sealed record NestedPagingConfiguration
{
    public required NestedFormat Format { get; init; }

    /// <summary>The largest page that a nested table may map: 4k, 2m or 1g.</summary>
    public required string LargestPage { get; init; }

    /// <summary>EPT: an entry may permit fetches without reads.</summary>
    public required bool ExecuteOnly { get; init; }

    /// <summary>EPT: accessed and dirty flags can be switched on. NPT has them always.</summary>
    public required bool AccessedAndDirty { get; init; }

    /// <summary>Whether nested tables may have five levels.</summary>
    public required bool FiveLevels { get; init; }

    /// <summary>EPT: whether an EPT violation tells the guest's rights in bits 11:9 of its qualification.</summary>
    public required bool ViolationDetails { get; init; }

    /// <summary>Whether a nested table may map a page of a size.</summary>
    public bool CanMap(PageSize size) => size <= LargestPageSize;

    /// <summary><see cref="LargestPage"/> as a size.</summary>
    internal PageSize LargestPageSize => Geometry.ParseSize("nested", LargestPage);
}
