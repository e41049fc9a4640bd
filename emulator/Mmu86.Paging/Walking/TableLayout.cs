using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What a machine's tables of one format look like: levels and reserved bits, as data.</summary>
internal unsafe struct TableLayout
{
    /// <summary>The highest level that a layout may have, plus one.</summary>
    public const int MaximumLevels = 6;

    /// <summary>The level of the table that CR3 or the EPT pointer points to.</summary>
    public int Levels;

    /// <summary>Bit n: an entry of level n with PS=1 maps a page.</summary>
    public uint LargeLevels;

    // Index: 2 × level, plus 1 for an entry that maps a page.
    private fixed ulong _reserved[2 * MaximumLevels];

    /// <summary>The bits that must be 0 in a present entry.</summary>
    public readonly ulong Reserved(int level, bool mapsPage) => _reserved[(2 * level) + (mapsPage ? 1 : 0)];

    /// <summary>4-level paging. SDM 3, "4-Level Paging and 5-Level Paging".</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="largestPage">1 GiB where PDPTEs may map pages, else 2 MiB.</param>
    /// <param name="noExecuteEnable">EFER.NXE: without it XD is reserved.</param>
    public static TableLayout FourLevel(int physicalAddressBits, PageSize largestPage, Efer noExecuteEnable)
    {
        ulong always = BeyondWidth(physicalAddressBits);
        if ((noExecuteEnable & Efer.NoExecuteEnable) == 0)
            always |= PagingEntry.ExecuteDisable;
        TableLayout layout = new() { Levels = 4, LargeLevels = LargeLevelsUpTo(largestPage) };
        for (int level = 1; level <= layout.Levels; level++)
        {
            ulong tableBits = level > 1 && (layout.LargeLevels >> level & 1) == 0 ? PagingEntry.PageSizeBit : 0;
            layout._reserved[2 * level] = always | tableBits;
            // Bit 12 is PAT in an entry that maps a large page.
            layout._reserved[(2 * level) + 1] = always | (level == 1 ? 0 : FrameBits(level) & ~(1UL << 12));
        }

        return layout;
    }

    /// <summary>4-level EPT. SDM 3, "EPT Translation Mechanism" and "EPT Misconfigurations".</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="largestPage">1 GiB where EPT PDPTEs may map pages, else 2 MiB.</param>
    public static TableLayout Ept(int physicalAddressBits, PageSize largestPage)
    {
        ulong always = BeyondWidth(physicalAddressBits);
        TableLayout layout = new() { Levels = 4, LargeLevels = LargeLevelsUpTo(largestPage) };
        for (int level = 1; level <= layout.Levels; level++)
        {
            ulong pageSizeBit = (layout.LargeLevels >> level & 1) == 0 ? EptEntry.PageSizeBit : 0;
            layout._reserved[2 * level] = always | EptEntry.MemoryTypeMask | EptEntry.IgnorePat | pageSizeBit;
            layout._reserved[(2 * level) + 1] = always | (level == 1 ? 0 : FrameBits(level));
        }

        return layout;
    }

    private static uint LargeLevelsUpTo(PageSize largest) => largest == PageSize.Size1G ? 0b1100u : 0b0100u;

    private static ulong BeyondWidth(int physicalAddressBits) => PagingEntry.AddressMask & ~((1UL << physicalAddressBits) - 1);

    // Bits 20:12 of a 2 MiB page's entry, 29:12 of a 1 GiB page's.
    private static ulong FrameBits(int level) => ((1UL << (12 + (9 * (level - 1)))) - 1) & ~0xFFFUL;
}
