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

    /// <summary>The PML index: the entry of the log that is written next, counting down; above 511 the log is full.</summary>
    public ushort PageModificationIndex { get; set; }

    /// <summary>The EPTP index: what #VE reports, and what EPTP switching sets.</summary>
    public ushort EptpIndex { get; set; }

    /// <summary>Whether a VM entry with these controls would pass: every address is a frame within the physical width.</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    /// <remarks>SDM 3, "VM-Execution Control Fields" under "Checks on VMX Controls".</remarks>
    public bool AreValid(int physicalAddressBits)
    {
        ulong forbidden = ~((1UL << physicalAddressBits) - 1) | 0xFFF;
        return IsFrame(PageModificationLog) && IsFrame(VirtualizationExceptionArea) && IsFrame(SubPagePermissionTable)
            && (EptpList is null || (VmFunctions && IsFrame(EptpList)));

        bool IsFrame(HostPhysicalAddress? address) => address is not { } given || (given.Value & forbidden) == 0;
    }
}
