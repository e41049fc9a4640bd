namespace Mmu86.X86;

/// <summary>The page sizes of 4-level paging and of EPT, in ascending order, so that the smaller of two is their minimum.</summary>
public enum PageSize : byte
{
    /// <summary>4 KiB, mapped by a PTE.</summary>
    Size4K = 0,

    /// <summary>2 MiB, mapped by a PDE with PS=1.</summary>
    Size2M = 1,

    /// <summary>1 GiB, mapped by a PDPTE with PS=1.</summary>
    Size1G = 2,
}

/// <summary>Arithmetic on page sizes.</summary>
public static class PageSizes
{
    /// <summary>Log2 of the size in bytes: 12, 21 or 30.</summary>
    public static int Shift(this PageSize size) => 12 + (9 * (int)size);

    /// <summary>The size in bytes.</summary>
    public static ulong Bytes(this PageSize size) => 1UL << size.Shift();

    /// <summary>The bits of an address that are the offset within a page of this size.</summary>
    public static ulong OffsetMask(this PageSize size) => size.Bytes() - 1;
}
