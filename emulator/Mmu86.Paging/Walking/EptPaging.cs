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
    public static bool MayRestart => false;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage) => entry;

    /// <inheritdoc/>
    public static ulong Accessed => EptEntry.Accessed;

    /// <inheritdoc/>
    /// <remarks>Write without read, and where the processor lacks it execute-only. An entry that may be read has no bad combination of rights.</remarks>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) =>
        ((entry & EptEntry.Read) == 0 && ((layout.MalformedRights >> TableLayout.EptRightsIndex(entry)) & 1) != 0)
        || (mapsPage && ((ReservedMemoryTypes >> (int)((entry & EptEntry.MemoryTypeMask) >> 3)) & 1) != 0);
}

/// <summary>EPT with mode-based execute control: bit 10 is a right too, and makes an entry present. SDM 3, "Mode-Based Execute Control".</summary>
internal readonly struct ModeBasedEptPaging : ITableFormat
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
    public static ulong PresentMask => EptEntry.Rights | EptEntry.UserExecute;

    /// <inheritdoc/>
    public static ulong RightsMask => EptEntry.Rights | EptEntry.UserExecute;

    /// <inheritdoc/>
    public static bool MayRestart => false;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage) => entry;

    /// <inheritdoc/>
    public static ulong Accessed => EptEntry.Accessed;

    /// <inheritdoc/>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) => EptPaging.IsMalformed(layout, entry, mapsPage);
}
