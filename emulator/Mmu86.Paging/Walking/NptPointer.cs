using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The root of AMD's nested paging in one word: nCR3, and what of the host's state decides how its tables are read.</summary>
/// <remarks>
/// The word is ours, so that a context has one root whatever the format; VMRUN would make it from nCR3, the host's CR4 and EFER, and the VMCB.
/// <code>
/// 51..12        8      7     6     5..3        2    1    0
/// nCR3's frame  ROGPT  GMET  SMEP  levels - 1  PSE  NXE  1: nested paging is on
/// </code>
/// A host in PAE paging has three levels, and bits 11:5 of nCR3, which is below 4 GiB, stand in bits 38:32; one in 32-bit paging has two.
/// APM 2, "Nested Paging".
/// </remarks>
public static class NptPointer
{
    /// <summary>Nested paging is on: the word is never 0, also with tables in the first frame.</summary>
    public const ulong On = 1UL << 0;

    /// <summary>The host's EFER.NXE: XD in nested entries is a right; without it, a reserved bit.</summary>
    public const ulong NoExecute = 1UL << 1;

    /// <summary>The host's CR4.SMEP. All that it does is to report fetches as such.</summary>
    public const ulong Smep = 1UL << 6;

    /// <summary>Guest-mode execute trap: supervisor-mode fetches of the guest are judged by SMEP's rule.</summary>
    public const ulong GuestModeExecuteTrap = 1UL << 7;

    /// <summary>The host's CR4.PSE, in 32-bit paging: without it PS is ignored.</summary>
    public const ulong PageSizeExtensions = 1UL << 2;

    /// <summary>Read-only guest page tables: an access to a guest's table is a read, unless it sets a flag there.</summary>
    public const ulong ReadOnlyGuestTables = 1UL << 8;

    // Bits of the VMCB's word at 090h.
    private const ulong TrapControl = 1UL << 3;
    private const ulong ReadOnlyControl = 1UL << 6;

    private const int PaeTableShift = 27;
    private const ulong PaeTableLow = 0xFE0;

    /// <summary>The word for a VMRUN.</summary>
    /// <param name="host">The host, and what the VMCB says.</param>
    /// <param name="nested">What the machine can do.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="pointer">The word.</param>
    /// <returns>False where VMRUN fails: a host without paging, nCR3 beyond the physical width (32 bits of it for hosts outside long mode), a bad gPAT, ASID 0.</returns>
    public static bool TryMake(in NestedPagingHost host, NestedPagingConfiguration nested, int physicalAddressBits, out ulong pointer)
    {
        pointer = 0;
        ulong nestedCr3 = host.NestedCr3;
        bool isLong = (host.Efer & Efer.LongModeActive) != 0;
        bool isPae = (host.Cr4 & Cr4.PhysicalAddressExtension) != 0;
        bool hasFiveLevels = isLong && (host.Cr4 & Cr4.LinearAddress57) != 0;
        if (!host.IsPatValid || host.Asid == 0)
            return false;
        if ((host.Cr0 & Cr0.Paging) == 0 || nestedCr3 >> (isLong ? physicalAddressBits : 32) != 0 || (hasFiveLevels && !nested.FiveLevels))
            return false;
        ulong levels = isLong ? hasFiveLevels ? EptPointer.FiveLevels : EptPointer.FourLevels : isPae ? EptPointer.ThreeLevels : EptPointer.TwoLevels;
        pointer = (nestedCr3 & EptPointer.AddressMask)
            | levels
            | (levels == EptPointer.ThreeLevels ? (nestedCr3 & PaeTableLow) << PaeTableShift : 0)
            | (isPae && (host.Efer & Efer.NoExecuteEnable) != 0 ? NoExecute : 0)
            | (levels == EptPointer.TwoLevels && (host.Cr4 & Cr4.PageSizeExtensions) != 0 ? PageSizeExtensions : 0)
            | ((host.Cr4 & Cr4.Smep) != 0 ? Smep : 0)
            | ((host.Control & TrapControl) != 0 ? GuestModeExecuteTrap : 0)
            | ((host.Control & ReadOnlyControl) != 0 ? ReadOnlyGuestTables : 0)
            | On;
        return true;
    }

    /// <summary>Where the four PDPTEs of a host in PAE paging lie.</summary>
    public static ulong PaeTable(ulong pointer) => (pointer & 0xFFFF_F000) | ((pointer >> PaeTableShift) & PaeTableLow);
}
