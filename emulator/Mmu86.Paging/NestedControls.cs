using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What the VMCS says of EPT beyond the EPT pointer. SDM 3, "VM-Execution Control Fields".</summary>
/// <remarks>
/// An absent value is all controls off. The controls are fixed for the life of a value, so the MMU prepares for them when it is given
/// a context; the two fields that the processor itself writes, the PML index and the EPTP index, change in place.
/// </remarks>
public sealed class NestedControls
{
    /// <summary>Entries of a page-modification log, and of an EPTP list.</summary>
    public const int ListEntries = 512;

    private const byte MostHlatPrefix = 1;
    private const ulong HlatAttributes = PagingEntry.PageWriteThrough | PagingEntry.PageCacheDisable;

    /// <summary>"Mode-based execute control for EPT".</summary>
    public bool ModeBasedExecute { get; init; }

    /// <summary>"Enable PML": the host-physical address of the log, a frame; null where the control is 0.</summary>
    public HostPhysicalAddress? PageModificationLog { get; init; }

    /// <summary>"EPT-violation #VE": the host-physical address of the virtualization-exception information, a frame; null where the control is 0.</summary>
    public HostPhysicalAddress? VirtualizationExceptionArea { get; init; }

    /// <summary>"Enable VM functions": whether VMFUNC exists. Its functions are the exits of leaves that are off.</summary>
    public bool VmFunctions { get; init; }

    /// <summary>"EPTP switching": the host-physical address of the EPTP list, a frame; null where the function is off.</summary>
    public HostPhysicalAddress? EptpList { get; init; }

    /// <summary>"Sub-page write permissions for EPT": the host-physical address of the top sub-page-permission table; null where the control is 0.</summary>
    public HostPhysicalAddress? SubPagePermissionTable { get; init; }

    /// <summary>"EPT paging-write control": bit 58 of the EPT entry that maps a page has a meaning.</summary>
    public bool PagingWrite { get; init; }

    /// <summary>"Guest-paging verification": bit 57 of the EPT entry that maps a page has a meaning. Nothing without <see cref="PagingWrite"/>.</summary>
    public bool GuestPagingVerification { get; init; }

    /// <summary>"Enable HLAT": HLATP, the guest-physical address of the hypervisor-managed top table with PWT and PCD in bits 3 and 4; null where the
    /// control is 0.</summary>
    public ulong? HlatPointer { get; init; }

    /// <summary>The HLAT prefix size: 0 gives every linear address to the hypervisor-managed tables, 1 those with bit 63 set.</summary>
    public byte HlatPrefixSize { get; init; }

    /// <summary>With AMD's format, what the host's registers say of memory types.</summary>
    public NestedHostMemory HostMemory { get; init; } = NestedHostMemory.Default;

    /// <summary>The PML index: the entry of the log that is written next, counting down; above 511 the log is full.</summary>
    public ushort PageModificationIndex { get; set; }

    /// <summary>The EPTP index: what #VE reports, and what EPTP switching sets.</summary>
    public ushort EptpIndex { get; set; }

    /// <summary>Whether nothing is on but a page-modification log: no translation depends on it.</summary>
    internal bool OnlyLogsWrites => !ModeBasedExecute && !VmFunctions && !PagingWrite && !GuestPagingVerification
        && (VirtualizationExceptionArea ?? EptpList ?? SubPagePermissionTable) is null && HlatPointer is null;

    /// <summary>Whether 4-level or 5-level paging translates a linear address by the hypervisor-managed tables. SDM 3, "Ordinary Paging and HLAT Paging".</summary>
    internal bool UsesHlat(ulong linear) => HlatPointer is not null && (HlatPrefixSize == 0 || linear >> 63 != 0);

    /// <summary>Whether a VM entry with these controls would pass: every address is a frame within the physical width.</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <remarks>SDM 3, "VM-Execution Control Fields" under "Checks on VMX Controls". The largest prefix size is 1 here, as on every processor that the
    /// manual describes.</remarks>
    public bool AreValid(int physicalAddressBits)
    {
        ulong forbidden = ~((1UL << physicalAddressBits) - 1) | 0xFFF;
        return IsFrame(PageModificationLog) && IsFrame(VirtualizationExceptionArea) && IsFrame(SubPagePermissionTable)
            && (EptpList is null || (VmFunctions && IsFrame(EptpList)))
            && (HlatPointer is not { } hlat || ((hlat & forbidden & ~HlatAttributes) == 0 && HlatPrefixSize <= MostHlatPrefix));

        bool IsFrame(HostPhysicalAddress? address) => address is not { } given || (given.Value & forbidden) == 0;
    }
}
