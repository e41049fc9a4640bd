using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>AMD's nested page tables: the ordinary format, as the host's paging has it. APM 2, "Nested Paging".</summary>
internal readonly struct NptPaging : ITableFormat
{
    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Ept;

    /// <inheritdoc/>
    public static int IndexBits => 9;

    /// <inheritdoc/>
    public static int EntryBytes => 8;

    /// <inheritdoc/>
    public static ulong Prefixed(ulong address) => address;

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
}
