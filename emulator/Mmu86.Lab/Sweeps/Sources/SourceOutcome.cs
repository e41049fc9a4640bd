using Mmu86.Lab.Reports;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Sources;

/// <summary>How a stream ended.</summary>
public sealed record SourceOutcome
{
    /// <summary>Instructions retired, or those that a trace tells of.</summary>
    public required long Instructions { get; init; }

    /// <summary>How the base run ended; null where a trace was read to its end.</summary>
    public ExitReport? Exit { get; init; }

    /// <summary>Which lookups were taken together.</summary>
    public required RecordedRuns Runs { get; init; }

    /// <summary>Lookups of translations that the tables no longer had.</summary>
    public ulong StaleUses { get; init; }

    /// <summary>The names of sites, by number; empty where they were not numbered.</summary>
    public IReadOnlyList<string> Sites { get; init; } = [];

    /// <summary>False where it was ended early.</summary>
    public required bool IsComplete { get; init; }
}
