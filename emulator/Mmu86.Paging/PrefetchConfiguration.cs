namespace Mmu86.Paging;

/// <summary>Which pages a prefetcher takes for the next ones.</summary>
public enum PrefetchKind
{
    /// <summary>Those behind the page that missed, of its size.</summary>
    Next,

    /// <summary>Those at the distances that followed the present distance between misses before.</summary>
    Distance,
}

/// <summary>What is walked for and put into the second level behind a walk that a miss made.</summary>
public sealed record PrefetchConfiguration
{
    /// <summary>Which pages.</summary>
    public required PrefetchKind Kind { get; init; }

    /// <summary>How many pages at most, 1 to 16.</summary>
    public required int Degree { get; init; }

    /// <summary>With <see cref="PrefetchKind.Distance"/>: rows of the table, which is direct-mapped. Else null.</summary>
    public int? TableEntries { get; init; }
}
