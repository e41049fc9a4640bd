using Mmu86.X86;

namespace Mmu86.Loaders.Bare;

/// <summary>Page tables that map every guest-physical address of RAM and of the device hole to itself.</summary>
/// <remarks>
/// The hole is uncacheable, and its pages are no smaller than 2 MiB: what is there are device registers, and 512 tables for them would
/// cost more than a small guest's memory. Where RAM ends inside a large page, the rest of that page is mapped too and nobody answers there.
/// </remarks>
internal static class IdentityMap
{
    private const ulong RamFlags = PagingEntry.Present | PagingEntry.Writable;
    private const ulong DeviceFlags = RamFlags | PagingEntry.PageCacheDisable | PagingEntry.PageWriteThrough;

    /// <summary>How many 4 KiB tables the map takes.</summary>
    public static ulong CountTables(GuestPhysicalLayout layout, PageSize size)
    {
        ulong end = Math.Max(GuestPhysicalLayout.HoleEnd.Value, layout.HighTop.Value);
        ulong high = layout.HighTop.Value - GuestPhysicalLayout.HoleEnd.Value;
        ulong tables = 1 + Count(end, 39);
        if (size <= PageSize.Size2M)
            tables += Count(layout.LowTop.Value, 30) + 1 + Count(high, 30);
        if (size == PageSize.Size4K)
            tables += Count(layout.LowTop.Value, 21) + Count(high, 21);
        return tables;
    }

    /// <summary>Writes the tables.</summary>
    /// <param name="tables">A hierarchy with nothing in it.</param>
    /// <param name="layout">Where RAM lies.</param>
    /// <param name="size">The size of the pages of RAM.</param>
    public static void Write(GuestPageTables tables, GuestPhysicalLayout layout, PageSize size)
    {
        ulong mask = size.OffsetMask();
        Map(0, (layout.LowTop.Value + mask) & ~mask, size, RamFlags);
        ulong holeStart = GuestPhysicalLayout.HoleStart.Value;
        ulong holeEnd = GuestPhysicalLayout.HoleEnd.Value;
        Map(holeStart, holeEnd, size == PageSize.Size4K ? PageSize.Size2M : size, DeviceFlags);
        Map(holeEnd, (layout.HighTop.Value + mask) & ~mask, size, RamFlags);

        void Map(ulong start, ulong end, PageSize pages, ulong flags) =>
            tables.Map(new LinearAddress(start), new GuestPhysicalAddress(start), end - start, pages, flags);
    }

    /// <summary>How many tables or entries that map 2^shift bytes each it takes for so many bytes.</summary>
    private static ulong Count(ulong bytes, int shift) => (bytes + (1UL << shift) - 1) >> shift;
}
