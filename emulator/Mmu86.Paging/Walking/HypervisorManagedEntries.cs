using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Hypervisor-managed tables of 4-level and 5-level paging: ordinary entries, of which each may send the walk back to CR3. SDM 3, "Ordinary Paging and HLAT Paging".</summary>
internal readonly struct HypervisorManagedEntries : IGuestFormat
{
    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Guest;

    /// <inheritdoc/>
    public static int IndexBits => EightByteEntries.IndexBits;

    /// <inheritdoc/>
    public static int EntryBytes => EightByteEntries.EntryBytes;

    /// <inheritdoc/>
    public static ulong PresentMask => EightByteEntries.PresentMask;

    /// <inheritdoc/>
    public static ulong RightsMask => EightByteEntries.RightsMask;

    /// <inheritdoc/>
    public static bool MayRestart => true;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage) => EightByteEntries.Granted(entry, mapsPage);

    /// <inheritdoc/>
    public static ulong Accessed => EightByteEntries.Accessed;

    /// <inheritdoc/>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) => false;

    /// <inheritdoc/>
    public static PageSize SizeAt(int level) => EightByteEntries.SizeAt(level);

    /// <inheritdoc/>
    public static ulong OffsetMask(PageSize size) => EightByteEntries.OffsetMask(size);

    /// <inheritdoc/>
    public static PageSize Held(PageSize size) => size;

    /// <inheritdoc/>
    public static ulong Frame(ulong entry, PageSize size) => EightByteEntries.Frame(entry, size);

    /// <inheritdoc/>
    public static ulong Prefixed(ulong address) => address;
}
