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
}

/// <summary>The failure of a translation, as a value.</summary>
public readonly record struct TranslationFault
{
    public required TranslationFailure Failure { get; init; }

    public required LinearAddress Linear { get; init; }

    /// <summary>The error code, for a page fault.</summary>
    public PageFaultErrorCode ErrorCode { get; init; }

    /// <summary>The guest-physical address that EPT refused, for the two VM exits.</summary>
    public GuestPhysicalAddress GuestPhysical { get; init; }

    /// <summary>The exit qualification, for an EPT violation.</summary>
    public EptViolationQualification Qualification { get; init; }
}
