using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The second dimension, as the walker of the guest's tables sees it.</summary>
internal interface IReferenceNestedWalker
{
    /// <summary>Whether every access to a guest table counts as a write.</summary>
    bool TreatsTableAccessesAsWrites { get; }

    /// <summary>Translates one guest-physical address for one access.</summary>
    /// <param name="record">Takes the references, flags and the fault.</param>
    /// <param name="guestPhysical">The address.</param>
    /// <param name="cause">Bits 2:0 of the exit qualification: what the access is.</param>
    /// <param name="final">What the guest's tables say of the linear address, where this is its translation; null for a guest table.</param>
    /// <returns>Null where the access fails; the record has the fault.</returns>
    ReferenceEptPage? Translate(WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, ReferenceLinearRights? final);

    /// <summary>The exit that an update of a flag in a guest entry causes where the entry's page does not permit it (E06): a read and a write of a table.</summary>
    TranslationFault DescribeRefusedUpdate(WalkRecord record, GuestPhysicalAddress guestPhysical, ReferenceEptPage page);

    /// <summary>A flag is set in a guest entry of a page: what that sets in the entry that maps the page.</summary>
    void NoteUpdate(WalkRecord record, ReferenceEptPage page);
}

/// <summary>What the guest's tables say of a linear address.</summary>
/// <param name="IsUserMode">U/S=1 in every entry.</param>
/// <param name="IsWritable">R/W=1 in every entry.</param>
/// <param name="IsExecuteDisabled">XD=1 in any entry.</param>
internal readonly record struct ReferenceLinearRights(bool IsUserMode, bool IsWritable, bool IsExecuteDisabled);
