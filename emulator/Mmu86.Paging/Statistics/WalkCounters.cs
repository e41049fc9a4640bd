using System.Runtime.CompilerServices;

namespace Mmu86.Paging;

/// <summary>Counts walks and failures.</summary>
internal struct WalkCounters
{
    public ulong Miss;
    public ulong Dirty;
    public ulong Rights;
    public ulong Prefetch;
    public ulong PrefetchReferences;
    public ulong GuestReferences;
    public ulong EptReferences;
    public ulong Faulted;
    public ulong FaultedReferences;
    public ulong FlagUpdates;
    public ulong PageFaults;
    public ulong EptViolations;
    public ulong EptMisconfigurations;
    public ulong NestedPageFaults;

    /// <summary>A walk ended in a translation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Walked(Walker walker, WalkReason reason)
    {
        if (reason == WalkReason.Miss)
            Miss++;
        else if (reason == WalkReason.Dirty)
            Dirty++;
        else if (reason == WalkReason.Rights)
            Rights++;
        else
            Prefetched(walker);
        GuestReferences += walker.GuestReferences;
        EptReferences += walker.EptReferences;
        FlagUpdates += walker.FlagUpdates;
    }

    private void Prefetched(Walker walker)
    {
        Prefetch++;
        PrefetchReferences += walker.GuestReferences + walker.EptReferences;
    }

    /// <summary>A walk ended in a fault or an exit.</summary>
    public void Failed(Walker walker)
    {
        Faulted++;
        FaultedReferences += walker.GuestReferences + walker.EptReferences;
        FlagUpdates += walker.FlagUpdates;
        switch (walker.Fault.Failure)
        {
            case TranslationFailure.PageFault:
                PageFaults++;
                break;
            case TranslationFailure.EptViolation:
                EptViolations++;
                break;
            case TranslationFailure.EptMisconfiguration:
                EptMisconfigurations++;
                break;
            case TranslationFailure.NestedPageFault:
                NestedPageFaults++;
                break;
            case TranslationFailure.PageModificationLogFull:
            case TranslationFailure.SubPageMiss:
            case TranslationFailure.SubPageMisconfiguration:
                break;
            case TranslationFailure.None:
            case TranslationFailure.NonCanonical:
            default:
                throw new InvalidOperationException("A walk failed without a reason.");
        }
    }
}
