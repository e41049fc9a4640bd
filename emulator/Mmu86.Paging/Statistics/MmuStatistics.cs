using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What was counted of one page size: of a level, or of one array.</summary>
/// <remarks>A miss belongs to the size of the entry that was filled because of it.</remarks>
public readonly record struct PageSizeStatistics(ulong Hits, ulong Misses, ulong Fills, ulong Evictions, ulong Invalidations)
{
    /// <summary>Lookups that an entry of this size answered, or that ended in a fill of this size.</summary>
    public ulong Lookups => Hits + Misses;

    /// <summary>Sums two.</summary>
    public static PageSizeStatistics operator +(PageSizeStatistics a, PageSizeStatistics b) =>
        new(a.Hits + b.Hits, a.Misses + b.Misses, a.Fills + b.Fills, a.Evictions + b.Evictions, a.Invalidations + b.Invalidations);

    /// <summary>What was counted since an earlier state.</summary>
    public static PageSizeStatistics operator -(PageSizeStatistics a, PageSizeStatistics b) =>
        new(a.Hits - b.Hits, a.Misses - b.Misses, a.Fills - b.Fills, a.Evictions - b.Evictions, a.Invalidations - b.Invalidations);
}

/// <summary>What was counted of a level of the TLB, or of one of its arrays. Lookups are hits plus misses, always.</summary>
/// <remarks>
/// A level's lookups are one for each access that reached it, however many arrays were probed. A lookup belongs to the array that
/// answered it or was filled because of it; so a level is the sum of its arrays, plus <see cref="Unresolved"/>, plus misses whose
/// translation the level holds in no size.
/// </remarks>
public sealed record TlbStatistics
{
    /// <summary>The name: <c>l1i</c>, <c>l1d</c>, <c>l2</c>, or that of an array.</summary>
    public required string Name { get; init; }

    /// <summary>Whether the machine has it. The lookups of a level that it does not have are all misses.</summary>
    public required bool Exists { get; init; }

    public required PageSizeStatistics Size4K { get; init; }

    public required PageSizeStatistics Size2M { get; init; }

    public required PageSizeStatistics Size1G { get; init; }

    /// <summary>Lookups of accesses that ended in a fault or an exit; misses of no page size. Always 0 of an array.</summary>
    public required ulong Unresolved { get; init; }

    public ulong Lookups => Hits + Misses;

    public ulong Hits => Size4K.Hits + Size2M.Hits + Size1G.Hits;

    public ulong Misses => Size4K.Misses + Size2M.Misses + Size1G.Misses + Unresolved;

    public ulong Fills => Size4K.Fills + Size2M.Fills + Size1G.Fills;

    public ulong Evictions => Size4K.Evictions + Size2M.Evictions + Size1G.Evictions;

    public ulong Invalidations => Size4K.Invalidations + Size2M.Invalidations + Size1G.Invalidations;

    /// <summary>The part of one page size.</summary>
    public PageSizeStatistics this[PageSize size] => size switch
    {
        PageSize.Size4K => Size4K,
        PageSize.Size2M => Size2M,
        PageSize.Size1G => Size1G,
        _ => throw new ArgumentOutOfRangeException(nameof(size)),
    };

    /// <summary>The sum with another structure, under this one's name.</summary>
    public TlbStatistics Plus(TlbStatistics other) => this with
    {
        Exists = Exists || other.Exists,
        Size4K = Size4K + other.Size4K,
        Size2M = Size2M + other.Size2M,
        Size1G = Size1G + other.Size1G,
        Unresolved = Unresolved + other.Unresolved,
    };

    /// <summary>What was counted since an earlier state of the same structure.</summary>
    public TlbStatistics Since(TlbStatistics start) => this with
    {
        Size4K = Size4K - start.Size4K,
        Size2M = Size2M - start.Size2M,
        Size1G = Size1G - start.Size1G,
        Unresolved = Unresolved - start.Unresolved,
    };
}

/// <summary>What was counted of a cache of partial walks.</summary>
/// <param name="Name">As in the report: <c>pml4e</c>, <c>pdpte</c>, <c>pde</c>, <c>eptPml4e</c>, <c>eptPdpte</c>, <c>eptPde</c>, <c>nestedTlb</c>.</param>
/// <param name="Exists">Whether the machine has it.</param>
/// <param name="Hits">Lookups that it answered.</param>
/// <param name="Misses">Lookups that it did not answer. Caches are searched from the lowest level up, and the first hit ends the search.</param>
public sealed record StructureCacheStatistics(string Name, bool Exists, ulong Hits, ulong Misses)
{
    /// <summary>What was counted since an earlier state.</summary>
    public StructureCacheStatistics Since(StructureCacheStatistics start) => this with { Hits = Hits - start.Hits, Misses = Misses - start.Misses };
}

/// <summary>What was counted of walks.</summary>
public sealed record WalkStatistics
{
    /// <summary>Walks that ended in a translation, by <see cref="WalkReason"/>.</summary>
    public required ulong Miss { get; init; }

    /// <summary>Walks because a write found an entry whose dirty flag was clear.</summary>
    public required ulong Dirty { get; init; }

    /// <summary>Walks because a TLB entry denied what the tables then granted.</summary>
    public required ulong Rights { get; init; }

    /// <summary>Walks that a prefetcher asked for.</summary>
    public required ulong Prefetch { get; init; }

    /// <summary>Reads of entries in those.</summary>
    public ulong PrefetchReferences { get; init; }

    /// <summary>Reads of guest entries, in walks that ended in a translation.</summary>
    public required ulong GuestReferences { get; init; }

    /// <summary>Reads of EPT entries, in walks that ended in a translation.</summary>
    public required ulong EptReferences { get; init; }

    /// <summary>Walks that ended in a fault or an exit.</summary>
    public required ulong Faulted { get; init; }

    /// <summary>Reads of entries in those.</summary>
    public required ulong FaultedReferences { get; init; }

    /// <summary>Entries, guest and EPT, in which accessed or dirty was set.</summary>
    public required ulong FlagUpdates { get; init; }

    /// <summary>The caches of partial walks, in the order of the report.</summary>
    public required IReadOnlyList<StructureCacheStatistics> StructureCaches { get; init; }

    /// <summary>Walks that ended in a translation.</summary>
    public ulong Count => Miss + Dirty + Rights + Prefetch;

    /// <summary>Reads of entries in walks that ended in a translation.</summary>
    public ulong References => GuestReferences + EptReferences;

    /// <summary>What was counted since an earlier state.</summary>
    public WalkStatistics Since(WalkStatistics start) => new()
    {
        Miss = Miss - start.Miss,
        Dirty = Dirty - start.Dirty,
        Rights = Rights - start.Rights,
        Prefetch = Prefetch - start.Prefetch,
        PrefetchReferences = PrefetchReferences - start.PrefetchReferences,
        GuestReferences = GuestReferences - start.GuestReferences,
        EptReferences = EptReferences - start.EptReferences,
        Faulted = Faulted - start.Faulted,
        FaultedReferences = FaultedReferences - start.FaultedReferences,
        FlagUpdates = FlagUpdates - start.FlagUpdates,
        StructureCaches = [.. StructureCaches.Zip(start.StructureCaches, (now, then) => now.Since(then))],
    };
}

/// <summary>Translations that failed, by kind. Non-canonical addresses are not among them: they never reach the MMU's structures.</summary>
public readonly record struct FaultStatistics(ulong PageFaults, ulong EptViolations, ulong EptMisconfigurations)
{
    /// <summary>AMD's nested page faults.</summary>
    public ulong NestedPageFaults { get; init; }

    /// <summary>What was counted since an earlier state.</summary>
    public static FaultStatistics operator -(FaultStatistics a, FaultStatistics b) =>
        new(a.PageFaults - b.PageFaults, a.EptViolations - b.EptViolations, a.EptMisconfigurations - b.EptMisconfigurations)
        {
            NestedPageFaults = a.NestedPageFaults - b.NestedPageFaults,
        };
}

/// <summary>Everything that one MMU counted up to a moment. The report's <c>tlb</c>, <c>walks</c> and <c>faults</c>.</summary>
public sealed record MmuStatistics
{
    public required TlbStatistics L1Instruction { get; init; }

    public required TlbStatistics L1Data { get; init; }

    public required TlbStatistics L2 { get; init; }

    /// <summary>The arrays, as configured: first-level instruction, first-level data, second level, second level of fetches.</summary>
    public required IReadOnlyList<TlbStatistics> Structures { get; init; }

    public required WalkStatistics Walks { get; init; }

    public required FaultStatistics Faults { get; init; }

    /// <summary>What was counted since an earlier state of the same MMU: the report's <c>measured</c>.</summary>
    public MmuStatistics Since(MmuStatistics start) => new()
    {
        L1Instruction = L1Instruction.Since(start.L1Instruction),
        L1Data = L1Data.Since(start.L1Data),
        L2 = L2.Since(start.L2),
        Structures = [.. Structures.Zip(start.Structures, (now, then) => now.Since(then))],
        Walks = Walks.Since(start.Walks),
        Faults = Faults - start.Faults,
    };
}
