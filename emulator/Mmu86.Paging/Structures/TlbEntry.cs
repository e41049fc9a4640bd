using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The data word of a TLB entry.</summary>
/// <remarks>
/// <code>
/// 63  62..59  58  57    56..54   53..52    51..12              11..10      9    8    7    6  5   4   3   2  1  0
/// -   key     -   IPAT  EPT      EPT size  host frame of the   guest size  PAT  PCD  PWT  D  eX  eW  eR  X  U  W
///                       memtype            entry's first page
/// </code>
/// Bits 6:0 are <see cref="TranslationRights"/> and index <see cref="AccessRights"/>. PAT, PCD and PWT are those of the guest's entry
/// that maps the page.
/// </remarks>
internal static class TlbEntry
{
    public const ulong RightsMask = 0x7F;
    public const ulong Dirty = (ulong)TranslationRights.Dirty;
    public const ulong EptRights = (ulong)(TranslationRights.EptRead | TranslationRights.EptWrite | TranslationRights.EptExecute);
    public const ulong FrameMask = 0x000F_FFFF_FFFF_F000;
    public const int GuestSizeShift = 10;
    public const int EptSizeShift = 52;
    public const int MemoryTypeShift = 54;

    // The protection key lies where the guest's entry has it.
    public const ulong KeyMask = 0xFUL << PagingEntry.ProtectionKeyShift;

    /// <summary>The protection key, 0 to 15.</summary>
    public static int Key(ulong data) => (int)(data >> PagingEntry.ProtectionKeyShift) & 0xF;

    /// <summary>The index into the PAT: 4 × PAT + 2 × PCD + PWT.</summary>
    public static int PatIndex(ulong data) => (int)(data >> 7) & 7;

    /// <summary>The size of the guest page that the entry is (a fragment of).</summary>
    public static PageSize GuestSize(ulong data) => (PageSize)((data >> GuestSizeShift) & 3);

    /// <summary>The size of the EPT page behind the entry; the guest's where EPT is off.</summary>
    public static PageSize EptSize(ulong data) => (PageSize)((data >> EptSizeShift) & 3);

    /// <summary>The host-physical address that the entry gives for an address in it.</summary>
    /// <param name="data">The data word.</param>
    /// <param name="address">The linear address.</param>
    /// <param name="offsetMask">The offset in what the entry covers (<see cref="TlbLane.OffsetMask"/>).</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostAddress(ulong data, ulong address, ulong offsetMask) => (data & FrameMask) | (address & offsetMask);

    /// <summary>What the guest's entry that maps the page gives beside frame and rights: the bits that choose a memory type, and the protection key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Attributes(ulong entry, PageSize size)
    {
        // PAT is bit 7 of a PTE and bit 12 of an entry that maps a large page.
        ulong pat = size == PageSize.Size4K ? (entry & 0x80) << 2 : (entry & 0x1000) >> 3;
        return (entry & KeyMask) | ((entry & (PagingEntry.PageWriteThrough | PagingEntry.PageCacheDisable)) << 4) | pat;
    }
}
