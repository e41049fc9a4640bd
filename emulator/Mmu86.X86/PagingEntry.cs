namespace Mmu86.X86;

/// <summary>Bits of a paging-structure entry. SDM 3, "32-Bit Paging", "PAE Paging" and "4-Level Paging and 5-Level Paging".</summary>
/// <remarks>
/// <code>
/// 63 62..59 58..52 51..M      M-1..12          11 10..9  8  7   6  5  4   3   2   1   0
/// XD  key   ign.   reserved   address or       R  ign.   G  PS  D  A  PCD PWT U/S R/W P
///                             bits of a frame
/// </code>
/// In a PTE bit 7 is PAT, in an entry that maps a larger page bit 12; D and G have meaning only in the entry that maps the page, R in
/// hypervisor-managed tables. PAE paging reserves bits 62:M. Entries of 32-bit paging are the lower half, and those that map 4 MiB are told in <see cref="PageFrame4M"/>.
/// </remarks>
public static class PagingEntry
{
    public const ulong Present = 1UL << 0;
    public const ulong Writable = 1UL << 1;
    public const ulong User = 1UL << 2;
    public const ulong PageWriteThrough = 1UL << 3;
    public const ulong PageCacheDisable = 1UL << 4;
    public const ulong Accessed = 1UL << 5;
    public const ulong Dirty = 1UL << 6;
    public const ulong PageSizeBit = 1UL << 7;
    public const ulong Global = 1UL << 8;

    /// <summary>In hypervisor-managed tables: translate with the tables of CR3 instead. Elsewhere ignored.</summary>
    public const ulong Restart = 1UL << 11;
    public const ulong ExecuteDisable = 1UL << 63;

    /// <summary>Bits 51:12, before the physical-address width is applied.</summary>
    public const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    /// <summary>PAT in an entry that maps a page larger than 4 KiB.</summary>
    public const ulong LargePagePat = 1UL << 12;

    /// <summary>Log2 of the distance between protection keys and bit 0: they are bits 62:59.</summary>
    public const int ProtectionKeyShift = 59;

    /// <summary>The frame that a PDE of 32-bit paging maps by PS=1: bits 31:22 as they are, bits 39:32 from 20:13.</summary>
    public static ulong PageFrame4M(ulong entry) => (entry & 0xFFC0_0000) | ((entry & 0x001F_E000) << 19);
}
