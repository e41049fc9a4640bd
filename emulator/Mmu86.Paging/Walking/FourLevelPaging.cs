using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The guest's tables. SDM 3, "4-Level Paging and 5-Level Paging".</summary>
internal readonly struct FourLevelPaging : ITableFormat
{
    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Guest;

    /// <inheritdoc/>
    public static ulong PresentMask => PagingEntry.Present;

    /// <inheritdoc/>
    public static ulong RightsMask => PagingEntry.Writable | PagingEntry.User | PagingEntry.ExecuteDisable;

    /// <inheritdoc/>
    public static ulong DenyingRights => PagingEntry.ExecuteDisable;

    /// <inheritdoc/>
    public static ulong Accessed => PagingEntry.Accessed;

    /// <inheritdoc/>
    public static bool IsMalformed(ulong entry, bool mapsPage) => false;
}
