using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>The layouts of the second dimension.</content>
internal unsafe partial struct TableLayout
{
    /// <summary>EPT. SDM 3, "EPT Translation Mechanism" and "EPT Misconfigurations".</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="nested">What the machine's EPT can do.</param>
    /// <param name="levels">4 or 5.</param>
    /// <param name="isModeBased">Mode-based execute control: bit 10 is a right.</param>
    public static TableLayout Ept(int physicalAddressBits, NestedPagingConfiguration nested, int levels, bool isModeBased)
    {
        ulong always = BeyondWidth(physicalAddressBits);
        TableLayout layout = new() { Levels = levels, LargeLevels = LargeLevelsOf(nested.LargestPageSize), EntryBytes = 8 };
        for (int level = 1; level <= levels; level++)
        {
            ulong pageSizeBit = (layout.LargeLevels >> level & 1) == 0 ? EptEntry.PageSizeBit : 0;
            layout._reserved[2 * level] = always | EptEntry.MemoryTypeMask | EptEntry.IgnorePat | pageSizeBit;
            layout._reserved[(2 * level) + 1] = always | (level == 1 ? 0 : FrameBits(level));
        }

        for (uint index = 0; index < 16; index++)
        {
            bool isRead = (index & EptEntry.Read) != 0;
            bool isWritten = (index & EptEntry.Write) != 0;
            bool isExecuted = (index & EptEntry.Execute) != 0 || (isModeBased && index >= 8);
            if (!isRead && (isWritten || (isExecuted && !nested.ExecuteOnly)))
                layout.MalformedRights |= 1u << (int)index;
        }

        return layout;
    }

    /// <summary>AMD's nested tables. APM 2, "Page-Translation-Table Entry Fields".</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="nested">What the machine can do.</param>
    /// <param name="levels">4 or 5.</param>
    /// <param name="hasNoExecute">The host's EFER.NXE: without it XD is reserved.</param>
    public static TableLayout Npt(int physicalAddressBits, NestedPagingConfiguration nested, int levels, bool hasNoExecute)
    {
        PagingFeatures features = new(physicalAddressBits, HasPage1G: true, HasPse36: true, ReservesBit8AbovePdpte: true);
        return Wide(features, hasNoExecute ? LayoutOption.Set : LayoutOption.Clear, levels, nested.LargestPageSize, reservedAbove: 0);
    }

    /// <summary>The sub-page-permission tables. SDM 3, "Sub-Page Write Permissions": bits 11:1, 51:M and 63:52 of entries that reference a table.</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    public static TableLayout SubPages(int physicalAddressBits)
    {
        TableLayout layout = new() { Levels = 4, LargeLevels = 0, EntryBytes = 8 };
        for (int level = 2; level <= 4; level++)
            layout._reserved[2 * level] = BeyondWidth(physicalAddressBits) | 0xFFF0_0000_0000_0FFE;
        return layout;
    }

    /// <summary>R, W, X and (bit 10 of the entry) XU as a number below 16.</summary>
    public static int EptRightsIndex(ulong entry) => (int)((entry & EptEntry.Rights) | ((entry & EptEntry.UserExecute) >> 7));

    private static uint LargeLevelsOf(PageSize largest) => largest switch
    {
        PageSize.Size1G => 0b1100u,
        PageSize.Size2M => 0b0100u,
        _ => 0,
    };
}
