using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The guest's tables in 32-bit paging. SDM 3, "32-Bit Paging".</summary>
internal readonly struct FourByteEntries : IGuestFormat
{
    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Guest;

    /// <inheritdoc/>
    public static int IndexBits => 10;

    /// <inheritdoc/>
    public static int EntryBytes => 4;

    /// <inheritdoc/>
    public static ulong PresentMask => PagingEntry.Present;

    /// <inheritdoc/>
    /// <remarks>There is no XD: that of an entry of four bytes reads as 0.</remarks>
    public static ulong RightsMask => EightByteEntries.RightsMask;

    /// <inheritdoc/>
    public static bool MayRestart => false;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage) => entry ^ PagingEntry.ExecuteDisable;

    /// <inheritdoc/>
    public static ulong Accessed => PagingEntry.Accessed;

    /// <inheritdoc/>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) => false;

    /// <inheritdoc/>
    public static PageSize SizeAt(int level) => level == 1 ? PageSize.Size4K : PageSize.Size4M;

    /// <inheritdoc/>
    public static ulong OffsetMask(PageSize size) => size.OffsetMask();

    /// <inheritdoc/>
    public static PageSize Held(PageSize size) => size.Held();

    /// <inheritdoc/>
    public static ulong Frame(ulong entry, PageSize size) => size == PageSize.Size4K ? entry & PagingEntry.AddressMask : PagingEntry.PageFrame4M(entry);

    /// <inheritdoc/>
    /// <remarks>A PDE is selected by bits 31:22, and the cache of PDEs drops the lowest 21 bits of what it is given.</remarks>
    public static ulong Prefixed(ulong address) => address >> 1;
}
