using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The tables that the processor walks in place of its guest's: what a hypervisor with shadow paging loads into CR3, and the controls that go with it.</summary>
/// <param name="Root">The host-physical address of the highest table: a PML5 table where the guest uses 5-level paging, else a PML4 table.</param>
/// <param name="Pcid">The processor's PCID for these tables, 0 to 4095; null where it has none.</param>
/// <param name="Pat">The processor's IA32_PAT.</param>
/// <param name="IgnoresWriteDisable">Whether PKRU denies no writes: for single instructions of a supervisor whose CR0.WP is 0.</param>
/// <remarks>
/// CR0 and CR4 are as VMX has it: the hypervisor owns the bits below, and the guest reads its own. PG, WP, PAE, LME and NXE are 1: the
/// tables have one format, and WP=0 would let writes by that the hypervisor must see. PCIDE is 1 where there is a PCID: the hypervisor gives each set of tables its own, whatever
/// the guest's are. PGE is the guest's, for global translations are global by its word.
/// </remarks>
public readonly record struct ShadowRoot(HostPhysicalAddress Root, ushort? Pcid, ulong Pat, bool IgnoresWriteDisable)
{
    // CR3.LAM_U57 and CR3.LAM_U48.
    private const ulong UserMasking = 3UL << 61;

    // The access-disable bits of PKRU and PKRS.
    private const uint AccessDisable = 0x5555_5555;

    private const Cr4 OfUserPages = Cr4.Smep | Cr4.Smap | Cr4.ProtectionKeyEnable | Cr4.ProtectionKeySupervisor;

    /// <summary>What the processor translates with while the guest believes in a context of its own.</summary>
    public PagingContext InPlaceOf(in PagingContext guest)
    {
        // Without paging there are neither users nor keys, and nothing is global.
        GuestPagingMode mode = guest.Mode;
        Cr4 hidden = Cr4.PcidEnable | (mode == GuestPagingMode.None ? OfUserPages | Cr4.PageGlobalEnable | Cr4.LinearAddress57 : 0);

        // With WP=0, keys of supervisor-mode addresses deny no writes; those of user-mode addresses deny them to users.
        bool hasWriteProtect = (guest.Cr0 & Cr0.WriteProtect) != 0;
        return guest with
        {
            Pkru = IgnoresWriteDisable ? guest.Pkru & AccessDisable : guest.Pkru,
            Pkrs = hasWriteProtect ? guest.Pkrs : guest.Pkrs & AccessDisable,
            Cr0 = guest.Cr0 | Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect,
            Cr3 = Root.Value | Pcid.GetValueOrDefault() | (mode >= GuestPagingMode.FourLevel ? guest.Cr3 & UserMasking : 0),
            Cr4 = (guest.Cr4 & ~hidden) | Cr4.PhysicalAddressExtension | (Pcid is null ? Cr4.None : Cr4.PcidEnable),
            Efer = guest.Efer | Efer.LongModeEnable | Efer.NoExecuteEnable,
            Pat = Pat,
            MemoryTypes = null,
        };
    }
}
