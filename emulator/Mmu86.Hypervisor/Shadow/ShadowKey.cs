using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>What a set of shadow tables stands for: a root of the guest under a PCID of the guest, and the controls that decide what its entries mean.</summary>
/// <param name="Mode">How the guest translates.</param>
/// <param name="Root">The frame of the guest's highest table; 0 without paging.</param>
/// <param name="Pcid">The guest's PCID; 0 while CR4.PCIDE=0.</param>
/// <param name="Pat">IA32_PAT, by which entries have memory types.</param>
/// <param name="HasExecuteDisable">Whether bit 63 of an entry means something; else it is reserved.</param>
internal readonly record struct ShadowKey(GuestPagingMode Mode, GuestFrameNumber Root, ushort Pcid, ulong Pat, bool HasExecuteDisable)
{
    /// <summary>Whether there are shadow tables for a way of translating.</summary>
    public static bool Has(GuestPagingMode mode) => mode is GuestPagingMode.None or GuestPagingMode.FourLevel or GuestPagingMode.FiveLevel;

    /// <summary>The key of a context.</summary>
    /// <param name="guest">What the guest believes to be in force; of a mode for which there are shadow tables.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    public static ShadowKey Of(in PagingContext guest, int physicalAddressBits) => guest.Mode == GuestPagingMode.None
        ? new ShadowKey(GuestPagingMode.None, default, 0, 0, false)
        : new ShadowKey(
            guest.Mode,
            new GuestFrameNumber((guest.Cr3 & PagingEntry.AddressMask & ((1UL << physicalAddressBits) - 1)) >> 12),
            guest.Pcid,
            guest.Pat,
            (guest.Efer & Efer.NoExecuteEnable) != 0);

    /// <summary>The levels of the shadow tables.</summary>
    public int Levels => Mode == GuestPagingMode.FiveLevel ? 5 : 4;
}
