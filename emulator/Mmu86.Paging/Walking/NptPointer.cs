using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The root of AMD's nested paging in one word: nCR3, and what of the host's state decides how its tables are read.</summary>
/// <remarks>
/// The word is ours, so that a context has one root whatever the format; VMRUN would make it from nCR3, the host's CR4 and EFER, and the VMCB.
/// <code>
/// 51..12        7     6     5..3        2     1    0
/// nCR3's frame  GMET  SMEP  levels - 1  -     NXE  1: nested paging is on
/// </code>
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

    /// <summary>The word for a VMRUN.</summary>
    /// <param name="nestedCr3">nCR3; PCD and PWT are dropped.</param>
    /// <param name="hostCr4">The host's CR4: PAE must be set; LA57 gives five levels.</param>
    /// <param name="hostEfer">The host's EFER: LMA must be set.</param>
    /// <param name="guestModeExecuteTrap">Bit 3 of the VMCB's word at 090h.</param>
    /// <param name="nested">What the machine can do.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <param name="pointer">The word.</param>
    /// <returns>False where VMRUN fails (nCR3 beyond the physical width), and for hosts in legacy paging modes, which are not supported.</returns>
    public static bool TryMake(
        ulong nestedCr3, Cr4 hostCr4, Efer hostEfer, bool guestModeExecuteTrap, NestedPagingConfiguration nested, int physicalAddressBits, out ulong pointer)
    {
        pointer = 0;
        bool hasFiveLevels = (hostCr4 & Cr4.LinearAddress57) != 0;
        if (nestedCr3 >> physicalAddressBits != 0 || (hostEfer & Efer.LongModeActive) == 0 || (hasFiveLevels && !nested.FiveLevels))
            return false;
        pointer = (nestedCr3 & EptPointer.AddressMask)
            | (hasFiveLevels ? EptPointer.FiveLevels : EptPointer.FourLevels)
            | ((hostEfer & Efer.NoExecuteEnable) != 0 ? NoExecute : 0)
            | ((hostCr4 & Cr4.Smep) != 0 ? Smep : 0)
            | (guestModeExecuteTrap ? GuestModeExecuteTrap : 0)
            | On;
        return true;
    }
}
