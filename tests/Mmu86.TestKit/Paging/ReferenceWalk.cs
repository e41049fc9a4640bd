using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Everything that the manual says about one access made with all caches off.</summary>
public sealed record ReferenceWalk
{
    /// <summary>The access that was judged.</summary>
    public required ReferenceAccess Access { get; init; }

    /// <summary>Where it goes; absent where it faults.</summary>
    public required ReferenceTranslation? Translation { get; init; }

    /// <summary>The fault or VM exit; absent where there is a translation.</summary>
    public required TranslationFault? Fault { get; init; }

    /// <summary>Other outcomes that the manual leaves open: only the order of a refused A/D update against a later event is not specified (E05).</summary>
    public required IReadOnlyList<TranslationFault> OtherLegalFaults { get; init; }

    /// <summary>Whether an A/D update was refused, so that neither the event nor the number of references before it is specified, or was an access of its own.</summary>
    public required bool AreReferencesOpen { get; init; }

    /// <summary>The reads of paging entries, in order, up to the event that ended the walk.</summary>
    public required IReadOnlyList<ReferenceStep> References { get; init; }

    /// <summary>The guest-physical addresses that the walk adds to the page-modification log, in order.</summary>
    public required IReadOnlyList<ulong> Logged { get; init; }

    /// <summary>Accessed and dirty bits of every entry used, by host-physical address. Everything else in memory stays as it is.</summary>
    public required IReadOnlyDictionary<ulong, EntryFlags> Flags { get; init; }

    /// <summary>Whether one entry served as guest entry and as EPT entry of the same walk, so that the order of A/D updates shows.</summary>
    /// <remarks>The accessed bit of a guest entry lies in the memory type of an EPT entry. The manual gives no order; nothing can be compared.</remarks>
    public required bool DependsOnUpdateOrder { get; init; }

    /// <summary>Whether a fault is one that this access may report.</summary>
    public bool Allows(in TranslationFault fault) => fault == Fault || OtherLegalFaults.Contains(fault);

    /// <summary>The outcome in one line.</summary>
    public string Outcome => Translation is { } translation ? translation.ToString() : Describe(Fault!.Value);

    /// <summary>A fault in one line.</summary>
    public static string Describe(in TranslationFault fault) => fault.Failure switch
    {
        TranslationFailure.None => "no fault",
        TranslationFailure.NonCanonical => $"non-canonical {fault.Linear}",
        TranslationFailure.PageFault => $"#PF({fault.ErrorCode}) {fault.Linear}",
        TranslationFailure.EptViolation => $"EPT violation ({fault.Qualification}{(fault.IsConvertible ? ", convertible" : "")}) {fault.GuestPhysical} {fault.Linear}",
        TranslationFailure.EptMisconfiguration => $"EPT misconfiguration {fault.GuestPhysical} {fault.Linear}",
        TranslationFailure.NestedPageFault => $"#NPF({fault.NestedErrorCode}) {fault.GuestPhysical} {fault.Linear}",
        TranslationFailure.PageModificationLogFull or TranslationFailure.SubPageMiss or TranslationFailure.SubPageMisconfiguration =>
            $"{fault.Failure} {fault.GuestPhysical} {fault.Linear}",
        _ => throw new ArgumentOutOfRangeException(nameof(fault)),
    };

    /// <inheritdoc/>
    public override string ToString() => $"{Access}: {Outcome}";
}
