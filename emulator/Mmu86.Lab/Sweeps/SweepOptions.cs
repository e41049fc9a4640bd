using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Lab.Sweeps.Sources;

namespace Mmu86.Lab.Sweeps;

/// <summary>What a sweep does.</summary>
public sealed record SweepOptions
{
    /// <summary>The base run of each paging mode; they differ in nothing else.</summary>
    public required IReadOnlyList<RunOptions> Runs { get; init; }

    /// <summary>What gives the stream: of a guest the program of <see cref="Runs"/>.</summary>
    public required ISweepSource Source { get; init; }

    /// <summary>The configurations.</summary>
    public required SweepGrid Grid { get; init; }

    /// <summary>Whether the base machine's misses are told by class, symbol and page.</summary>
    public required bool Classifies { get; init; }

    /// <summary>Which rows are evaluated.</summary>
    public Shard Shard { get; init; } = Shard.Whole;

    /// <summary>Threads that evaluate configurations, at least 1. Results do not depend on it.</summary>
    public required int Threads { get; init; }
}
