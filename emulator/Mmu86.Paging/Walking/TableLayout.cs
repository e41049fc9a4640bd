using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What a machine's tables of one format look like: levels and reserved bits, as data.</summary>
internal unsafe partial struct TableLayout
{
    /// <summary>The highest level that a layout may have, plus one.</summary>
    public const int MaximumLevels = 6;

    /// <summary>The level of the table that CR3 or the EPT pointer points to.</summary>
    public int Levels;

    /// <summary>Bit n: an entry of level n with PS=1 maps a page.</summary>
    public uint LargeLevels;

    /// <summary>The size of an entry, which is written as a whole.</summary>
    public int EntryBytes;

    /// <summary>EPT: which combinations of rights are malformed, a bit for each value of <see cref="EptRightsIndex"/>.</summary>
    public uint MalformedRights;

    // Index: 2 × level, plus 1 for an entry that maps a page.
    private fixed ulong _reserved[2 * MaximumLevels];

    /// <summary>The bits that must be 0 in a present entry.</summary>
    public readonly ulong Reserved(int level, bool mapsPage) => _reserved[(2 * level) + (mapsPage ? 1 : 0)];

    /// <summary>The guest's tables in one paging mode. SDM 3, "32-Bit Paging", "PAE Paging" and "4-Level Paging and 5-Level Paging".</summary>
    /// <param name="mode">The mode; none has no tables.</param>
    /// <param name="features">What CPUID says of tables.</param>
    /// <param name="option">32-bit paging: CR4.PSE. Else EFER.NXE, without which XD is reserved.</param>
    public static TableLayout Guest(GuestPagingMode mode, PagingFeatures features, LayoutOption option) => mode switch
    {
        GuestPagingMode.None => default,
        GuestPagingMode.Bits32 => Bits32(features, option),
        GuestPagingMode.Pae => Wide(features, option, levels: 2, PageSize.Size2M, reservedAbove: 0x7FF0_0000_0000_0000),
        GuestPagingMode.FourLevel => Wide(features, option, levels: 4, features.LargestPage, reservedAbove: 0),
        GuestPagingMode.FiveLevel => Wide(features, option, levels: 5, features.LargestPage, reservedAbove: 0),
        _ => throw new ArgumentOutOfRangeException(nameof(mode)),
    };

    // Entries of eight bytes. PAE paging begins below its PDPTE registers, which are no table.
    private static TableLayout Wide(PagingFeatures features, LayoutOption option, int levels, PageSize largestPage, ulong reservedAbove)
    {
        ulong always = BeyondWidth(features.PhysicalAddressBits) | reservedAbove;
        if (option == LayoutOption.Clear)
            always |= PagingEntry.ExecuteDisable;
        TableLayout layout = new() { Levels = levels, LargeLevels = LargeLevelsUpTo(largestPage), EntryBytes = 8 };
        for (int level = 1; level <= levels; level++)
        {
            ulong tableBits = level > 1 && (layout.LargeLevels >> level & 1) == 0 ? PagingEntry.PageSizeBit : 0;
            if (level >= 4 && features.ReservesBit8AbovePdpte)
                tableBits |= PagingEntry.Global;
            layout._reserved[2 * level] = always | tableBits;
            layout._reserved[(2 * level) + 1] = always | (level == 1 ? 0 : FrameBits(level) & ~PagingEntry.LargePagePat);
        }

        return layout;
    }

    // Entries of four bytes. With CR4.PSE=0 PS is ignored, and nothing is reserved.
    private static TableLayout Bits32(PagingFeatures features, LayoutOption option)
    {
        TableLayout layout = new() { Levels = 2, LargeLevels = option == LayoutOption.Set ? 0b100u : 0, EntryBytes = 4 };
        // Of a page of 4 MiB bits 20:13 are bits 39:32 of its address, as many as the processor has; from there to bit 21 all is reserved.
        int addressBits = features.HasPse36 ? Math.Min(40, features.PhysicalAddressBits) : 32;
        layout._reserved[(2 * 2) + 1] = ((1UL << 22) - 1) & ~((1UL << (addressBits - 19)) - 1);
        return layout;
    }

    private static uint LargeLevelsUpTo(PageSize largest) => largest == PageSize.Size1G ? 0b1100u : 0b0100u;

    private static ulong BeyondWidth(int physicalAddressBits) => PagingEntry.AddressMask & ~((1UL << physicalAddressBits) - 1);

    // Bits 20:12 of a 2 MiB page's entry, 29:12 of a 1 GiB page's.
    private static ulong FrameBits(int level) => ((1UL << (12 + (9 * (level - 1)))) - 1) & ~0xFFFUL;
}
