using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>EPT with paging-write control, and perhaps guest-paging verification: two further rights of the entry that maps the page.</summary>
/// <typeparam name="TFormat">The format without them.</typeparam>
/// <remarks>
/// SDM 3, "EPT Violations". Bit 11, which no entry uses, stands for what paging may write: W of every entry, but of the one that maps the page
/// bit 58 will do. Bit 57 stands for not asking how the address was found: it is inverted in the entry that maps the page, and ignored in others.
/// </remarks>
internal readonly struct PagingWriteEpt<TFormat> : ITableFormat
    where TFormat : struct, ITableFormat
{
    private const ulong Computed = Walker.PagingWrite | EptEntry.VerifyGuestPaging;

    /// <inheritdoc/>
    public static WalkDimension Dimension => TFormat.Dimension;

    /// <inheritdoc/>
    public static int IndexBits => TFormat.IndexBits;

    /// <inheritdoc/>
    public static int EntryBytes => TFormat.EntryBytes;

    /// <inheritdoc/>
    public static ulong Prefixed(ulong address) => TFormat.Prefixed(address);

    /// <inheritdoc/>
    public static ulong PresentMask => TFormat.PresentMask;

    /// <inheritdoc/>
    public static ulong RightsMask => TFormat.RightsMask | Computed;

    /// <inheritdoc/>
    public static bool MayRestart => TFormat.MayRestart;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage)
    {
        ulong writing = mapsPage ? EptEntry.Write | EptEntry.PagingWriteAccess : EptEntry.Write;
        return (TFormat.Granted(entry, mapsPage) & ~Computed)
            | ((entry & writing) != 0 ? Walker.PagingWrite : 0)
            | (mapsPage && (entry & EptEntry.VerifyGuestPaging) != 0 ? 0 : EptEntry.VerifyGuestPaging);
    }

    /// <inheritdoc/>
    public static ulong Accessed => TFormat.Accessed;

    /// <inheritdoc/>
    /// <remarks>Paging writes without reads are a misconfiguration too.</remarks>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) =>
        (mapsPage && (entry & (EptEntry.Read | EptEntry.PagingWriteAccess)) == EptEntry.PagingWriteAccess)
        || TFormat.IsMalformed(layout, entry, mapsPage);
}
