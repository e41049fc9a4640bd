using Mmu86.Lab.Configuration;
using Mmu86.Lab.Sweeps.Output;

namespace Mmu86.Lab.Sweeps;

/// <summary>Puts the shards of a sweep together.</summary>
public static class SweepMerge
{
    /// <summary>The whole sweep, as one that was not sharded would have given it.</summary>
    /// <param name="shards">The results, each with the name of its file; in any order.</param>
    /// <exception cref="ConfigurationException">They are not all shards of one sweep; carries every error.</exception>
    public static SweepResult Merge(IReadOnlyList<(string File, SweepResult Result)> shards)
    {
        List<ConfigurationError> errors = [];
        SweepResult first = shards[0].Result;
        int count = Lab.Sweeps.Shard.Parse(first.Shard ?? "")?.Count ?? 0;
        var parts = new SweepResult?[Math.Max(count, 1)];
        string frame = Frame(first);
        foreach ((string file, SweepResult result) in shards)
        {
            if (Lab.Sweeps.Shard.Parse(result.Shard ?? "") is not { } shard)
                errors.Add(new(file, "is no shard of a sweep"));
            else if (!result.IsComplete)
                errors.Add(new(file, "is of an interrupted sweep"));
            else if (shard.Count != count || Frame(result) != frame)
                errors.Add(new(file, $"is a shard of another sweep than {shards[0].File}"));
            else if (parts[shard.Index - 1] is not null)
                errors.Add(new(file, $"is shard {shard} a second time"));
            else
                parts[shard.Index - 1] = result;
        }

        for (int i = 0; i < parts.Length && errors.Count == 0; i++)
        {
            if (parts[i] is null)
                errors.Add(new("", $"shard {i + 1}/{count} is missing"));
        }

        if (errors.Count > 0)
            throw new ConfigurationException("sweep merge", ConfigurationOrigin.File, errors);
        SweepRow[] rows = Interleave(parts!);
        return first with { Shard = null, Rows = rows, SmallestNearBest = SweepAnswers.SmallestNearBest(rows) };
    }

    // Row k of the whole is in the shard k mod N, and in each paging mode anew.
    private static SweepRow[] Interleave(SweepResult[] parts)
    {
        List<SweepRow> rows = [];
        foreach (string paging in parts.SelectMany(part => part.Rows).Select(row => row.Paging).Distinct())
        {
            SweepRow[][] mine = [.. parts.Select(part => part.Rows.Where(row => row.Paging == paging).ToArray())];
            int total = mine.Sum(part => part.Length);
            for (int row = 0; row < total; row++)
                rows.Add(mine[row % parts.Length][row / parts.Length]);
        }

        return [.. rows];
    }

    // All but rows and what follows from them.
    private static string Frame(SweepResult result) => SweepJson.Write(result with { Shard = null, Rows = [], SmallestNearBest = null });
}
