using System.Text.Json.Serialization;

namespace Mmu86.Lab.Sweeps;

/// <summary>What one configuration of a grid did: a row of the table, and a line of the CSV.</summary>
public sealed record SweepRow
{
    /// <summary>The structure described: <c>l1i</c>, <c>l1d</c>, <c>l2</c> or the name of one array.</summary>
    public required string Structure { get; init; }

    /// <summary>The page size of the entries counted: <c>4k</c>, <c>2m</c>, <c>1g</c>; null for all sizes together.</summary>
    public string? PageSize { get; init; }

    /// <summary>Sets; null where the configuration varies something else than one array.</summary>
    public int? Sets { get; init; }

    /// <summary>Ways; null as <see cref="Sets"/>.</summary>
    public int? Ways { get; init; }

    /// <summary>Replacement policy as in the machine description; null as <see cref="Sets"/>.</summary>
    public string? Replacement { get; init; }

    /// <summary>Index hash as in the machine description; null as <see cref="Sets"/>.</summary>
    public string? Hash { get; init; }

    /// <summary>Lookups of the structure.</summary>
    public required long Lookups { get; init; }

    /// <summary>Lookups that found nothing.</summary>
    public required long Misses { get; init; }

    /// <summary>Misses by lookups; 0 where there was no lookup.</summary>
    public double MissRatio => Lookups == 0 ? 0 : (double)Misses / Lookups;

    /// <summary>Misses in a thousand retired instructions.</summary>
    public required double Mpki { get; init; }

    /// <summary>Reads of paging-structure entries. In one-pass grids: misses times the levels walked with no structure cache.</summary>
    public required long WalkReferences { get; init; }

    /// <summary>Cycles of walks by the machine's latencies; null in one-pass grids.</summary>
    public long? WalkCycles { get; init; }

    /// <summary>What lies below the guest's page tables: <c>native</c> or <c>nested</c>.</summary>
    public required string Paging { get; init; }

    /// <summary>What the configuration sets on the base machine, as <c>--set</c> takes it, several separated by a space; null in one-pass grids.</summary>
    public string? Settings { get; init; }

    /// <summary>Walks that ended in a translation; null in one-pass grids.</summary>
    public long? Walks { get; init; }

    /// <summary>Entries that the configuration can hold, for charts and for the smallest that suffices; null where it is not one array.</summary>
    [JsonIgnore]
    public long? Entries => Sets is int sets && Ways is int ways ? (long)sets * ways : null;
}
