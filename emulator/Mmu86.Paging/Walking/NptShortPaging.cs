using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>AMD's nested page tables of a host in 32-bit paging. APM 2, "Nested Paging".</summary>
/// <remarks>No structure caches: a machine's are for tables of nine index bits.</remarks>
internal readonly struct NptShortPaging : ITableFormat
{
    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Ept;

    /// <inheritdoc/>
    public static int IndexBits => FourByteEntries.IndexBits;

    /// <inheritdoc/>
    public static int EntryBytes => FourByteEntries.EntryBytes;

    /// <inheritdoc/>
    public static ulong Prefixed(ulong address) => address;

    /// <inheritdoc/>
    public static ulong PresentMask => PagingEntry.Present;

    /// <inheritdoc/>
    public static ulong RightsMask => FourByteEntries.RightsMask;

    /// <inheritdoc/>
    public static bool MayRestart => false;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage) => FourByteEntries.Granted(entry, mapsPage);

    /// <inheritdoc/>
    public static ulong Accessed => PagingEntry.Accessed;

    /// <inheritdoc/>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) => false;
}
