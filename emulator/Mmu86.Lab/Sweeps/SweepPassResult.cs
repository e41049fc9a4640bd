using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Sweeps;

/// <summary>What one pass found.</summary>
internal sealed record SweepPassResult
{
    /// <summary>Rows, in order.</summary>
    public required IReadOnlyList<SweepRow> Rows { get; init; }

    /// <summary>Instructions retired by the base run.</summary>
    public required long Instructions { get; init; }

    /// <summary>How it ended; null where a trace was read to its end.</summary>
    public ExitReport? Exit { get; init; }

    /// <summary>The base machine's misses; null where not asked for.</summary>
    public MissBreakdown? Misses { get; init; }

    /// <summary>Pages in use over time.</summary>
    public required IReadOnlyList<WorkingSetSample> WorkingSet { get; init; }

    /// <summary>Why rows may differ from direct simulation; null where they do not.</summary>
    public string? Assumption { get; init; }

    /// <summary>False where the run was interrupted.</summary>
    public required bool IsComplete { get; init; }
}
