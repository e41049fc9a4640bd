namespace Mmu86.Lab.Sweeps;

/// <summary>Why the data TLB of the base machine missed, in all and by where.</summary>
public sealed record MissBreakdown
{
    /// <summary>All misses.</summary>
    public required MissClassCounts Total { get; init; }

    /// <summary>By the size of the entry that was missing: <c>4k</c>, <c>2m</c>, <c>1g</c>; sizes without misses are left out.</summary>
    public required IReadOnlyList<MissGroup> ByPageSize { get; init; }

    /// <summary>By the symbol of the code that accessed, most misses first.</summary>
    public required IReadOnlyList<MissGroup> BySymbol { get; init; }

    /// <summary>By page, most misses first, as many as are worth reading.</summary>
    public required IReadOnlyList<MissGroup> ByPage { get; init; }

    /// <summary>Misses that would remain were every guest page of 2 MiB and the array as large for them.</summary>
    public required long MissesWith2MPages { get; init; }
}
