namespace Mmu86.Lab.Reports;

/// <summary>What a cache of partial walks did.</summary>
public sealed record HitCounts
{
    /// <summary>Searches that found an entry.</summary>
    public required long Hits { get; init; }

    /// <summary>Searches that did not.</summary>
    public required long Misses { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public HitCounts Since(HitCounts earlier) => new() { Hits = Hits - earlier.Hits, Misses = Misses - earlier.Misses };
}
