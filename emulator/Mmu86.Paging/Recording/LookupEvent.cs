using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Consecutive lookups of one page by accesses of one kind, in two words of a translation stream.</summary>
/// <param name="First">The first word.</param>
/// <param name="Second">The second word.</param>
/// <remarks>
/// <code>
///         63..19       14      13      12      11..10  9..8   7..6  5..4  3..0
/// first   page number  global  missed  failed  EPT's   guest  mode  kind  0
///                                              page size
///         63..48  47..32  31..0
/// second  site    space   lookups
/// </code>
/// Lookups that the base machine's shortcut answered are not among those counted here: marks have them in total.
/// </remarks>
public readonly record struct LookupEvent(ulong First, ulong Second)
{
    /// <summary>The words of an event.</summary>
    public const int Words = 2;

    private const int PageShift = 19;

    // A page number has 45 bits: 57 of address less 12.
    private const int SignShift = 7;

    /// <summary>The 4 KiB page number, without the sign that makes an address canonical.</summary>
    public ulong Page => First >> PageShift;

    /// <summary>The number of the page of an address as <see cref="Page"/> has it, for a page size.</summary>
    public static ulong PageNumber(ulong address, PageSize size) => Tag.PageNumber(address, size);

    /// <summary>The first address of the 4 KiB page, canonical.</summary>
    public ulong Address => (ulong)((long)(First >> PageShift << PageShift) >> SignShift) & ~0xFFFUL;

    /// <summary>What the accesses do.</summary>
    public AccessKind Kind => (AccessKind)((First >> 4) & 3);

    /// <summary>On whose behalf.</summary>
    public AccessMode Mode => (AccessMode)((First >> 6) & 3);

    /// <summary>The guest's page size; 4 KiB where the lookup failed.</summary>
    public PageSize GuestSize => (PageSize)((First >> 8) & 3);

    /// <summary>The size of EPT's page; the guest's where EPT is off.</summary>
    public PageSize EptSize => (PageSize)((First >> 10) & 3);

    /// <summary>The size of its entry in a structure that holds every size: the smaller of guest and EPT page.</summary>
    public PageSize HeldSize => GuestSize.Held() < EptSize.Held() ? GuestSize.Held() : EptSize.Held();

    /// <summary>Whether it ended in a fault or an exit.</summary>
    public bool IsFailed => (First & (1 << 12)) != 0;

    /// <summary>Whether the first level of the base machine did not have the page. Known only where sites are numbered.</summary>
    public bool IsMissed => (First & (1 << 13)) != 0;

    /// <summary>Whether the translation is global.</summary>
    public bool IsGlobal => (First & (1 << 14)) != 0;

    /// <summary>How many lookups in turn.</summary>
    public uint Repeats => (uint)Second;

    /// <summary>The space of the entry's tag, 1 to 8191.</summary>
    public uint Space => (uint)(Second >> 32) & 0xFFFF;

    /// <summary>Which code accessed, as the recorder numbers it; 0 where it does not.</summary>
    public uint Site => (uint)(Second >> 48);

    /// <summary>The first word of an event.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Pack(ulong linear, AccessKind kind, AccessMode mode, PageSize guest, PageSize ept, LookupFlags flags) =>
        ((linear >> 12) << PageShift) | (ulong)flags | ((ulong)ept << 10) | ((ulong)guest << 8) | ((ulong)mode << 6) | ((ulong)kind << 4);

    /// <summary>The second word of an event of one lookup.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Pack(uint space, uint site) => ((ulong)site << 48) | ((ulong)space << 32) | 1;
}
