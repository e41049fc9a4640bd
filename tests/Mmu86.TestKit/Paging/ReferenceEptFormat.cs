namespace Mmu86.TestKit.Paging;

/// <summary>The formats of SDM 3, "EPT Translation Mechanism", and "EPT Misconfigurations" (E02, E03, E23).</summary>
internal sealed class ReferenceEptFormat(ReferenceCapabilities capabilities, bool hasModeBasedExecute, bool hasPagingWriteControl)
{
    /// <summary>Bits 51:12 as far as the physical width goes.</summary>
    public ulong AddressBits => ((1UL << capabilities.PhysicalAddressBits) - 1) & ~0xFFFUL;

    /// <summary>E02: present where any of bits 2:0 is set; with mode-based execute control bit 10 counts too.</summary>
    public bool IsPresent(ulong entry) => (entry & 7) != 0 || (hasModeBasedExecute && (entry & (1UL << 10)) != 0);

    /// <summary>Whether a well-formed entry maps a page.</summary>
    public bool MapsPage(int level, ulong entry) => level switch
    {
        1 => true,
        // Bit 7 of an EPT PDE maps a 2-MByte page, of an EPT PDPTE a 1-GByte page.
        2 or 3 => (entry & (1UL << 7)) != 0,
        _ => false,
    };

    /// <summary>E03, for an entry that is present.</summary>
    public bool IsMisconfigured(int level, ulong entry)
    {
        bool read = (entry & 1) != 0;
        bool write = (entry & 2) != 0;
        bool execute = (entry & 4) != 0 || (hasModeBasedExecute && (entry & (1UL << 10)) != 0);

        // Writable but not readable.
        if (write && !read)
            return true;
        // Execute-only, where the processor does not support it.
        if (execute && !read && !write && !capabilities.HasExecuteOnlyEpt)
            return true;
        // Paging writes but no reads, in an entry that maps a page (E22).
        if (hasPagingWriteControl && MapsPage(level, entry) && (entry & (1UL << 58)) != 0 && !read)
            return true;
        // Bits 51:M are reserved in every entry.
        if ((entry & ReservedAddressBits) != 0)
            return true;

        bool pageSizeBit = (entry & (1UL << 7)) != 0;
        switch (level)
        {
            case 5:
            case 4:
                // An EPT PML5E or PML4E has bits 7:3 reserved.
                return (entry & 0xF8) != 0;
            case 3 when pageSizeBit:
                // A 1-GByte page: unsupported bit 7; bits 29:12 reserved; memory type.
                return !capabilities.HasEptPage1G || (entry & 0x3FFF_F000) != 0 || HasReservedMemoryType(entry);
            case 2 when pageSizeBit:
                // A 2-MByte page: unsupported bit 7; bits 20:12 reserved; memory type.
                return !capabilities.HasEptPage2M || (entry & 0x001F_F000) != 0 || HasReservedMemoryType(entry);
            case 3:
            case 2:
                // An entry that references a table has bits 6:3 reserved.
                return (entry & 0x78) != 0;
            case 1:
                // Bit 7 of an EPT PTE is ignored.
                return HasReservedMemoryType(entry);
            default:
                throw new ArgumentOutOfRangeException(nameof(level));
        }
    }

    // Memory types 2, 3 and 7 in bits 5:3 of an entry that maps a page.
    private static bool HasReservedMemoryType(ulong entry) => ((entry >> 3) & 7) is 2 or 3 or 7;

    // Bits 51:M.
    private ulong ReservedAddressBits => ((1UL << 52) - 1) & ~((1UL << capabilities.PhysicalAddressBits) - 1);
}
