using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The guest's tables in PAE, 4-level and 5-level paging. They differ in levels and reserved bits only: <see cref="TableLayout"/>.</summary>
internal readonly struct EightByteEntries : IGuestFormat
{
    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Guest;

    /// <inheritdoc/>
    public static int IndexBits => 9;

    /// <inheritdoc/>
    public static int EntryBytes => 8;

    /// <inheritdoc/>
    public static ulong PresentMask => PagingEntry.Present;

    /// <inheritdoc/>
    public static ulong RightsMask => PagingEntry.Writable | PagingEntry.User | PagingEntry.ExecuteDisable;

    /// <inheritdoc/>
    public static bool MayRestart => false;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage) => entry ^ PagingEntry.ExecuteDisable;

    /// <inheritdoc/>
    public static ulong Accessed => PagingEntry.Accessed;

    /// <inheritdoc/>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) => false;

    /// <inheritdoc/>
    public static PageSize SizeAt(int level) => (PageSize)(level - 1);

    /// <inheritdoc/>
    public static ulong OffsetMask(PageSize size) => (1UL << (12 + (9 * (int)size))) - 1;

    /// <inheritdoc/>
    public static PageSize Held(PageSize size) => size;

    /// <inheritdoc/>
    public static ulong Frame(ulong entry, PageSize size) => entry & PagingEntry.AddressMask & ~OffsetMask(size);

    /// <inheritdoc/>
    public static ulong Prefixed(ulong address) => address;
}
