namespace Mmu86.X86;

/// <summary>The page sizes. Of the first three, which structures hold and EPT maps, the smaller of two is their minimum.</summary>
public enum PageSize : byte
{
    /// <summary>4 KiB, mapped by a PTE.</summary>
    Size4K = 0,

    /// <summary>2 MiB, mapped by a PDE with PS=1.</summary>
    Size2M = 1,

    /// <summary>1 GiB, mapped by a PDPTE with PS=1.</summary>
    Size1G = 2,

    /// <summary>4 MiB, mapped by a PDE of 32-bit paging with PS=1. Structures hold it as fragments of 2 MiB or less.</summary>
    Size4M = 3,
}

/// <summary>Arithmetic on page sizes.</summary>
public static class PageSizes
{
    // Log2 of each size, a byte for each.
    private const uint Shifts = 12 | (21 << 8) | (30 << 16) | (22 << 24);

    /// <summary>Log2 of the size in bytes: 12, 21, 30 or 22.</summary>
    public static int Shift(this PageSize size) => (int)(Shifts >> (8 * (int)size)) & 0x1F;

    /// <summary>The largest size that a structure holds which is no larger: 2 MiB for 4 MiB, else the size itself.</summary>
    public static PageSize Held(this PageSize size) => size == PageSize.Size4M ? PageSize.Size2M : size;

    /// <summary>The size in bytes.</summary>
    public static ulong Bytes(this PageSize size) => 1UL << size.Shift();

    /// <summary>The bits of an address that are the offset within a page of this size.</summary>
    public static ulong OffsetMask(this PageSize size) => size.Bytes() - 1;
}
