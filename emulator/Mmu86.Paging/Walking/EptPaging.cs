using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The extended page tables. SDM 3, "EPT Translation Mechanism".</summary>
internal readonly struct EptPaging : ITableFormat
{
    // Memory types 2, 3 and 7 are reserved.
    private const uint ReservedMemoryTypes = (1u << 2) | (1u << 3) | (1u << 7);

    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Ept;

    /// <inheritdoc/>
    public static int IndexBits => 9;

    /// <inheritdoc/>
    public static int EntryBytes => 8;

    /// <inheritdoc/>
    public static ulong Prefixed(ulong address) => address;

    /// <inheritdoc/>
    public static ulong PresentMask => EptEntry.Rights;

    /// <inheritdoc/>
    public static ulong RightsMask => EptEntry.Rights;

    /// <inheritdoc/>
    public static ulong DenyingRights => 0;

    /// <inheritdoc/>
    public static ulong Accessed => EptEntry.Accessed;

    /// <inheritdoc/>
    /// <remarks>Write without read is refused; execute-only is permitted, as the capability MSR of every machine described here says.</remarks>
    public static bool IsMalformed(ulong entry, bool mapsPage) =>
        (entry & (EptEntry.Read | EptEntry.Write)) == EptEntry.Write
        || (mapsPage && ((ReservedMemoryTypes >> (int)((entry & EptEntry.MemoryTypeMask) >> 3)) & 1) != 0);
}
