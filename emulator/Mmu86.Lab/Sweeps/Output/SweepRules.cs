using System.Globalization;
using System.Text.RegularExpressions;
using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>What must hold in every sweep result, whatever file it came from.</summary>
internal static partial class SweepRules
{
    private static readonly string[] s_pageSizes = ["4k", "2m", "1g"];
    private static readonly string[] s_pagingModes = ["native", "nested"];

    /// <summary>Misses by lookups; 0 where there was no lookup.</summary>
    public static double MissRatio(long lookups, long misses) => lookups == 0 ? 0 : (double)misses / lookups;

    /// <summary>A number as JSON and CSV write it: the shortest that reads back as the same.</summary>
    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Checks all that the shape of the document does not say.</summary>
    /// <returns>Everything that is wrong, with its path in the JSON document.</returns>
    public static IEnumerable<ConfigurationError> Check(SweepResult result)
    {
        if (result.Instructions < 0)
            yield return new ConfigurationError("instructions", "must not be negative");
        if (result.Shard is string shard && !IsShard(shard))
            yield return new ConfigurationError("shard", $"must be I/N with I from 1 to N, not '{shard}'");
        for (int index = 0; index < result.Rows.Count; index++)
        {
            foreach (ConfigurationError error in Check(result.Rows[index]))
                yield return error with { Path = $"rows[{index}].{error.Path}" };
        }

        if (result.SmallestNearBest is SweepRow smallest && !result.Rows.Contains(smallest))
            yield return new ConfigurationError("smallestNearBest", "is none of the rows");
        foreach (ConfigurationError error in result.Misses is { } misses ? Check(misses) : [])
            yield return error;
        foreach (ConfigurationError error in Check(result.WorkingSet))
            yield return error;
    }

    /// <summary>Checks one row.</summary>
    /// <returns>Everything that is wrong; the path is the name of the column.</returns>
    public static IEnumerable<ConfigurationError> Check(SweepRow row)
    {
        if (row.Structure.Length == 0)
            yield return new ConfigurationError("structure", "must not be empty");
        if (row.PageSize is string size && !s_pageSizes.Contains(size))
            yield return new ConfigurationError("pageSize", $"must be one of {string.Join(", ", s_pageSizes)}, not '{size}'");
        if (row.Sets < 0)
            yield return new ConfigurationError("sets", "must not be negative");
        if (row.Ways < 0)
            yield return new ConfigurationError("ways", "must not be negative");
        if (row.Lookups < 0)
            yield return new ConfigurationError("lookups", "must not be negative");
        if (row.Misses < 0 || row.Misses > row.Lookups)
            yield return new ConfigurationError("misses", $"must be 0 to the {row.Lookups} lookups, not {row.Misses}");
        if (row.Mpki < 0)
            yield return new ConfigurationError("mpki", "must not be negative");
        if (row.WalkReferences < 0)
            yield return new ConfigurationError("walkReferences", "must not be negative");
        if (row.WalkCycles < 0)
            yield return new ConfigurationError("walkCycles", "must not be negative");
        if (!s_pagingModes.Contains(row.Paging))
            yield return new ConfigurationError("paging", $"must be one of {string.Join(", ", s_pagingModes)}, not '{row.Paging}'");
        if (row.Walks < 0)
            yield return new ConfigurationError("walks", "must not be negative");
    }

    private static IEnumerable<ConfigurationError> Check(MissBreakdown misses)
    {
        foreach ((string path, MissClassCounts counts) in Named(misses))
        {
            if (counts.Compulsory < 0 || counts.Capacity < 0 || counts.Conflict < 0 || counts.Invalidation < 0)
                yield return new ConfigurationError(path, "counts must not be negative");
        }

        if (misses.MissesWith2MPages < 0)
            yield return new ConfigurationError("misses.missesWith2MPages", "must not be negative");
    }

    private static IEnumerable<(string Path, MissClassCounts Counts)> Named(MissBreakdown misses) =>
    [
        ("misses.total", misses.Total),
        .. misses.ByPageSize.Select((group, index) => ($"misses.byPageSize[{index}].misses", group.Misses)),
        .. misses.BySymbol.Select((group, index) => ($"misses.bySymbol[{index}].misses", group.Misses)),
        .. misses.ByPage.Select((group, index) => ($"misses.byPage[{index}].misses", group.Misses)),
    ];

    private static IEnumerable<ConfigurationError> Check(IReadOnlyList<WorkingSetSample> samples)
    {
        long before = 0;
        for (int index = 0; index < samples.Count; index++)
        {
            WorkingSetSample sample = samples[index];
            if (sample.Instructions < before)
                yield return new ConfigurationError($"workingSet[{index}].instructions", $"must not be less than {before}, where the interval begins");
            if (sample.DataPages4K < 0 || sample.CodePages4K < 0 || sample.DataPages2M < 0)
                yield return new ConfigurationError($"workingSet[{index}]", "counts must not be negative");
            before = Math.Max(before, sample.Instructions);
        }
    }

    private static bool IsShard(string text) =>
        ShardPattern().Match(text) is { Success: true } match
        && int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int shard)
        && int.TryParse(match.Groups[2].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int shards)
        && shard >= 1 && shard <= shards;

    [GeneratedRegex("^([0-9]{1,9})/([0-9]{1,9})\\z")]
    private static partial Regex ShardPattern();
}
