using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Sweeps;

/// <summary>The result of a sweep (<c>mmu86.sweep/1</c>).</summary>
public sealed record SweepResult
{
    /// <summary>The name and version of this format.</summary>
    public const string SchemaName = "mmu86.sweep/1";

    /// <summary><see cref="SchemaName"/>.</summary>
    public string Schema { get; init; } = SchemaName;

    /// <summary>What ran, or the trace that was read.</summary>
    public required ProgramReport Program { get; init; }

    /// <summary>The base machine, whose reference stream the configurations saw.</summary>
    public required MachineDescription Machine { get; init; }

    /// <summary>The name of the grid, or of its file.</summary>
    public required string Grid { get; init; }

    /// <summary>The run's seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>How the base run ended; null for a trace.</summary>
    public ExitReport? Exit { get; init; }

    /// <summary>Instructions retired by the base run; for a trace those that it tells of.</summary>
    public required long Instructions { get; init; }

    /// <summary>Why rows may differ from direct simulation: the guest's course depends on what the TLBs hold. Null where it does not.</summary>
    public string? Assumption { get; init; }

    /// <summary>Which part of a sharded sweep this is, such as <c>1/4</c>; null for the whole.</summary>
    public string? Shard { get; init; }

    /// <summary>False where the sweep was interrupted: rows are what was done so far.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>One row a configuration, in the grid's order.</summary>
    public required IReadOnlyList<SweepRow> Rows { get; init; }

    /// <summary>The smallest configuration within 1 percent of the best miss ratio; null where no row is one array.</summary>
    public SweepRow? SmallestNearBest { get; init; }

    /// <summary>Misses of the base machine by class, symbol and page; null where not asked for.</summary>
    public MissBreakdown? Misses { get; init; }

    /// <summary>Pages in use over time.</summary>
    public IReadOnlyList<WorkingSetSample> WorkingSet { get; init; } = [];
}
