using System.Text.Json.Serialization;

namespace Mmu86.Lab.Sweeps;

/// <summary>Misses by class.</summary>
public sealed record MissClassCounts
{
    /// <summary>The page was never held before.</summary>
    public required long Compulsory { get; init; }

    /// <summary>A fully associative LRU array of as many entries would have missed too.</summary>
    public required long Capacity { get; init; }

    /// <summary>It would not have.</summary>
    public required long Conflict { get; init; }

    /// <summary>The entry was invalidated since it was held last.</summary>
    public required long Invalidation { get; init; }

    /// <summary>All of them.</summary>
    [JsonIgnore]
    public long Total => Compulsory + Capacity + Conflict + Invalidation;
}
