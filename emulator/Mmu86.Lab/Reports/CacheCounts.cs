namespace Mmu86.Lab.Reports;

/// <summary>What one cache of memory did.</summary>
public sealed record CacheCounts
{
    /// <summary>References made of it: those that every cache above it missed.</summary>
    public required long References { get; init; }

    /// <summary>References that found their line.</summary>
    public required long Hits { get; init; }

    /// <summary>References that did not.</summary>
    public required long Misses { get; init; }

    /// <summary>References of walks among them.</summary>
    public required long WalkReferences { get; init; }

    /// <summary>References of walks that found their line.</summary>
    public required long WalkHits { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public CacheCounts Since(CacheCounts earlier) => new()
    {
        References = References - earlier.References,
        Hits = Hits - earlier.Hits,
        Misses = Misses - earlier.Misses,
        WalkReferences = WalkReferences - earlier.WalkReferences,
        WalkHits = WalkHits - earlier.WalkHits,
    };
}
