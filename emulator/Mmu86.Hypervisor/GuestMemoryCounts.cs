using Mmu86.Memory;

namespace Mmu86.Hypervisor;

/// <summary>What <see cref="GuestMemoryManager"/> did to a guest's tables.</summary>
public sealed class GuestMemoryCounts
{
    /// <summary>Frames whose bytes went to the page store, or were there already.</summary>
    public ulong SwappedOut { get; internal set; }

    /// <summary>Those among them that needed no write, because their copy in the store was still good.</summary>
    public ulong SwappedOutClean { get; internal set; }

    /// <summary>Frames written to the page store while they stayed resident.</summary>
    public ulong Cleaned { get; internal set; }

    /// <summary>Frames given to the page store: evicted or cleaned.</summary>
    public ulong Stored => SwappedOut - SwappedOutClean + Cleaned;

    /// <summary>Frames read from the page store.</summary>
    public ulong SwappedIn { get; internal set; }

    /// <summary>Frames that became shared: given to the host, or given up for an equal one.</summary>
    public ulong Shared { get; internal set; }

    /// <summary>Shared frames that were written to: copied, or taken back by the last sharer.</summary>
    public ulong SharingBroken { get; internal set; }

    /// <summary>Those of them that were copied.</summary>
    public ulong SharedCopied { get; internal set; }

    /// <summary>Shared frames written to the page store, counted in <see cref="SwappedOut"/> too.</summary>
    public ulong SharedEvicted { get; internal set; }

    /// <summary>Large pages taken apart.</summary>
    public ulong Splits { get; internal set; }

    /// <summary>Large pages made of smaller ones.</summary>
    public ulong Joins { get; internal set; }

    /// <summary>How often every MMU was told to forget the guest's mappings.</summary>
    public ulong Invalidations { get; internal set; }

    /// <summary>Frames that the guest's balloon took.</summary>
    public ulong Ballooned { get; internal set; }

    /// <summary>Frames that the guest's balloon gave back.</summary>
    public ulong Deflated { get; internal set; }

    /// <summary>Ballooned frames that were used without being given back first: each got a fresh frame.</summary>
    public ulong BalloonedTouched { get; internal set; }

    /// <summary>Frames that the guest reported as free and the host took.</summary>
    public ulong ReportedFree { get; internal set; }

    /// <summary>Dirty flags cleared so that the next write is logged.</summary>
    public ulong DirtyFlagsCleared { get; internal set; }

    /// <summary>VM exits because a page-modification log was full.</summary>
    public ulong ModificationLogsFull { get; internal set; }

    /// <summary>VM exits because a page was written that was protected so that the write is logged.</summary>
    public ulong ProtectedWrites { get; internal set; }

    /// <summary>Accessed flags cleared.</summary>
    public ulong AccessedFlagsCleared { get; internal set; }

    /// <summary>Writes all of them.</summary>
    public void Save(StateWriter writer) => writer.WriteArray<ulong>([
        SwappedOut, SwappedOutClean, Cleaned, SwappedIn, Splits, Joins, Invalidations, AccessedFlagsCleared, Ballooned, Deflated, BalloonedTouched, ReportedFree,
        Shared, SharingBroken, SharedCopied, DirtyFlagsCleared, ModificationLogsFull, ProtectedWrites, SharedEvicted]);

    /// <summary>Reads them back.</summary>
    public void Load(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[19];
        reader.ReadArray("counts", counts);
        (SwappedOut, SwappedOutClean, Cleaned, SwappedIn, Splits) = (counts[0], counts[1], counts[2], counts[3], counts[4]);
        (Joins, Invalidations, AccessedFlagsCleared, Ballooned, Deflated) = (counts[5], counts[6], counts[7], counts[8], counts[9]);
        (BalloonedTouched, ReportedFree, Shared, SharingBroken, SharedCopied) = (counts[10], counts[11], counts[12], counts[13], counts[14]);
        (DirtyFlagsCleared, ModificationLogsFull, ProtectedWrites, SharedEvicted) = (counts[15], counts[16], counts[17], counts[18]);
    }
}
