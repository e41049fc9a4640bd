namespace Mmu86.Paging;

/// <summary>Bits of the EPT pointer. SDM 3, "Extended-Page-Table Pointer (EPTP)".</summary>
public static class EptPointer
{
    /// <summary>Bits 5:3 for a walk of four levels: one less than the number of levels.</summary>
    public const ulong FourLevels = 3UL << 3;

    /// <summary>Bits 2:0: the tables are write-back memory.</summary>
    public const ulong WriteBack = 6;

    /// <summary>Bit 6: the processor sets accessed and dirty flags in EPT entries.</summary>
    public const ulong AccessedAndDirty = 1UL << 6;

    /// <summary>Bits 51:12: the host-physical address of the top table.</summary>
    public const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    /// <summary>The tag of mappings made while EPT is off.</summary>
    public const ulong NoRootTag = 0;

    /// <summary>What tags the mappings made under an EPT pointer: the address of its top table, which may be 0, and a bit that says that there is one.</summary>
    /// <param name="eptp">The EPT pointer, or 0 while EPT is off.</param>
    public static ulong RootTag(ulong eptp) => eptp == 0 ? NoRootTag : (eptp & AddressMask) | 1;
}
