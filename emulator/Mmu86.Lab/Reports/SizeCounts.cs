namespace Mmu86.Lab.Reports;

/// <summary>What a TLB did with entries of one page size. A missing lookup counts for the size of the entry that was then filled.</summary>
public sealed record SizeCounts
{
    /// <summary>Hits and misses.</summary>
    public required long Lookups { get; init; }

    /// <summary>Lookups answered by an entry of this size.</summary>
    public required long Hits { get; init; }

    /// <summary>Lookups that led to an entry of this size.</summary>
    public required long Misses { get; init; }

    /// <summary>Entries inserted.</summary>
    public required long Fills { get; init; }

    /// <summary>Entries that gave way to a fill.</summary>
    public required long Evictions { get; init; }

    /// <summary>Entries removed because the guest or the hypervisor said so.</summary>
    public required long Invalidations { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public SizeCounts Since(SizeCounts earlier) => new()
    {
        Lookups = Lookups - earlier.Lookups,
        Hits = Hits - earlier.Hits,
        Misses = Misses - earlier.Misses,
        Fills = Fills - earlier.Fills,
        Evictions = Evictions - earlier.Evictions,
        Invalidations = Invalidations - earlier.Invalidations,
    };
}
