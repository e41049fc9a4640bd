using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>What is known only when a recording ends.</summary>
public sealed record StreamFileEnd
{
    /// <summary>What ran, or the trace that was read.</summary>
    public required ProgramReport Program { get; init; }

    /// <summary>Instructions of the run.</summary>
    public required long Instructions { get; init; }

    /// <summary>How the run ended; null where a trace was read to its end.</summary>
    public ExitReport? Exit { get; init; }

    /// <summary>Lookups of translations that the tables no longer had.</summary>
    public required ulong StaleUses { get; init; }

    /// <summary>The names of sites, by number.</summary>
    public required IReadOnlyList<string> Sites { get; init; }

    /// <summary>How many chunks precede.</summary>
    public required long Chunks { get; init; }
}
