namespace Mmu86.Paging;

/// <summary>Bits of the EPT pointer. SDM 3, "Extended-Page-Table Pointer (EPTP)".</summary>
/// <remarks>
/// <code>
/// 63..M     M-1..12            11..7     6    5..3        2..0
/// reserved  top table's frame  reserved  A/D  levels - 1  memory type of the tables
/// </code>
/// Machines with AMD's nested paging keep an <see cref="NptPointer"/> in the same place.
/// </remarks>
public static class EptPointer
{
    /// <summary>Bits 5:3 for a walk of four levels: one less than the number of levels.</summary>
    public const ulong FourLevels = 3UL << 3;

    /// <summary>Bits 5:3 of an <see cref="NptPointer"/> for tables in 32-bit paging.</summary>
    public const ulong TwoLevels = 1UL << 3;

    /// <summary>Bits 5:3 of an <see cref="NptPointer"/> for tables in PAE paging.</summary>
    public const ulong ThreeLevels = 2UL << 3;

    /// <summary>Bits 5:3 for a walk of five levels.</summary>
    public const ulong FiveLevels = 4UL << 3;

    /// <summary>Bits 5:3.</summary>
    public const ulong LevelsMask = 7UL << 3;

    /// <summary>Bits 2:0: the tables are write-back memory.</summary>
    public const ulong WriteBack = 6;

    /// <summary>Bits 2:0: the tables are uncacheable memory.</summary>
    public const ulong Uncacheable = 0;

    /// <summary>Bit 6: the processor sets accessed and dirty flags in EPT entries.</summary>
    public const ulong AccessedAndDirty = 1UL << 6;

    /// <summary>Bits 51:12: the host-physical address of the top table.</summary>
    public const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    /// <summary>The tag of mappings made while EPT is off.</summary>
    public const ulong NoRootTag = 0;

    private const ulong MemoryTypeMask = 7;
    private const ulong ReservedLowBits = 0xF80;

    /// <summary>What tags the mappings made under an EPT pointer: the address of its top table, which may be 0, and a bit that says that there is one.</summary>
    /// <param name="eptp">The EPT pointer, or 0 while EPT is off.</param>
    public static ulong RootTag(ulong eptp) => eptp == 0 ? NoRootTag : (eptp & AddressMask) | 1;

    /// <summary>How many levels of tables a pointer names.</summary>
    public static int Levels(ulong eptp) => (int)((eptp & LevelsMask) >> 3) + 1;

    /// <summary>Whether VM entry, INVEPT and EPTP switching accept a pointer. SDM 3, "VM-Execution Control Fields".</summary>
    /// <param name="eptp">The EPT pointer.</param>
    /// <param name="nested">What the machine's EPT can do. Every machine described here has both memory types.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    public static bool IsValid(ulong eptp, NestedPagingConfiguration nested, int physicalAddressBits)
    {
        ulong type = eptp & MemoryTypeMask;
        ulong levels = eptp & LevelsMask;
        return type is Uncacheable or WriteBack
            && (levels == FourLevels || (levels == FiveLevels && nested.FiveLevels))
            && ((eptp & AccessedAndDirty) == 0 || nested.AccessedAndDirty)
            && (eptp & ReservedLowBits) == 0
            && eptp >> physicalAddressBits == 0;
    }
}
