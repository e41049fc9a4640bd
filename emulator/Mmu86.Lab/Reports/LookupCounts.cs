namespace Mmu86.Lab.Reports;

/// <summary>What one TLB level, or one array of it, did.</summary>
public sealed record LookupCounts
{
    /// <summary>Hits and misses.</summary>
    public required long Lookups { get; init; }

    /// <summary>Lookups that found their translation.</summary>
    public required long Hits { get; init; }

    /// <summary>Lookups that did not.</summary>
    public required long Misses { get; init; }

    /// <summary>Entries inserted.</summary>
    public required long Fills { get; init; }

    /// <summary>Entries that gave way to a fill.</summary>
    public required long Evictions { get; init; }

    /// <summary>Entries removed because the guest or the hypervisor said so.</summary>
    public required long Invalidations { get; init; }

    /// <summary>Lookups that ended in a fault and so have no page size.</summary>
    public required long Unresolved { get; init; }

    /// <summary>The same by the size of the entry that answered or was filled.</summary>
    public PageSizeCounts? BySize { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public LookupCounts Since(LookupCounts earlier) => new()
    {
        Lookups = Lookups - earlier.Lookups,
        Hits = Hits - earlier.Hits,
        Misses = Misses - earlier.Misses,
        Fills = Fills - earlier.Fills,
        Evictions = Evictions - earlier.Evictions,
        Invalidations = Invalidations - earlier.Invalidations,
        Unresolved = Unresolved - earlier.Unresolved,
        BySize = earlier.BySize is null ? BySize : BySize?.Since(earlier.BySize),
    };
}
