using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The answer to a translation that succeeded.</summary>
/// <param name="Address">Where the access goes.</param>
/// <param name="EntryPageSize">The size of the first-level entry that answered or was filled: the smaller of guest and EPT page, or smaller still where the TLB lacks that size.</param>
/// <param name="IsRam">Whether the 4 KiB frame is RAM; otherwise the access is one for <see cref="Memory.MmioBus"/>.</param>
public readonly record struct Translation(HostPhysicalAddress Address, PageSize EntryPageSize, bool IsRam);

/// <summary>Why a translation failed.</summary>
public enum TranslationFailure : byte
{
    None = 0,

    /// <summary>The linear address is not canonical: #SS(0) for a stack reference, else #GP(0). CR2 is not changed.</summary>
    NonCanonical,

    /// <summary>#PF with <see cref="TranslationFault.ErrorCode"/>; CR2 = <see cref="TranslationFault.Linear"/>.</summary>
    PageFault,

    /// <summary>A VM exit: EPT violation.</summary>
    EptViolation,

    /// <summary>A VM exit: EPT misconfiguration.</summary>
    EptMisconfiguration,

    /// <summary>A VM exit: a flag of EPT must be set, and the page-modification log is full. SDM 3, "Page-Modification Logging".</summary>
    PageModificationLogFull,

    /// <summary>A VM exit: an entry of the sub-page-permission tables is not present. SDM 3, "SPP-Related Events".</summary>
    SubPageMiss,

    /// <summary>A VM exit: an entry of the sub-page-permission tables has reserved bits set.</summary>
    SubPageMisconfiguration,

    /// <summary>A VM exit: AMD's nested page fault, with <see cref="TranslationFault.NestedErrorCode"/>.</summary>
    NestedPageFault,
}

/// <summary>What failures have in common.</summary>
public static class TranslationFailures
{
    /// <summary>Whether the failure is the hypervisor's affair and not the guest's.</summary>
    public static bool IsVmExit(this TranslationFailure failure) => failure >= TranslationFailure.EptViolation;
}

/// <summary>The failure of a translation, as a value.</summary>
public readonly record struct TranslationFault
{
    public required TranslationFailure Failure { get; init; }

    public required LinearAddress Linear { get; init; }

    /// <summary>The error code, for a page fault.</summary>
    public PageFaultErrorCode ErrorCode { get; init; }

    /// <summary>The guest-physical address that the second dimension refused, for VM exits.</summary>
    public GuestPhysicalAddress GuestPhysical { get; init; }

    /// <summary>The exit qualification, for an EPT violation.</summary>
    public EptViolationQualification Qualification { get; init; }

    /// <summary>For an EPT violation: control and deciding entry permit #VE in its place. SDM 3, "Convertible EPT Violations".</summary>
    public bool IsConvertible { get; init; }

    /// <summary>EXITINFO1, for a nested page fault; <see cref="GuestPhysical"/> is EXITINFO2.</summary>
    public NestedPageFaultErrorCode NestedErrorCode { get; init; }
}
