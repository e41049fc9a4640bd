namespace Mmu86.Lab.Sweeps;

/// <summary>What rows say to one who must choose.</summary>
public static class SweepAnswers
{
    // What most people would not pay a larger array for.
    private const double Tolerance = 1.01;

    /// <summary>The row with the fewest entries whose misses are within 1 percent of the fewest misses of all; of equal ones that with the fewest
    /// misses, then the first. Only rows that are one array.</summary>
    /// <returns>Null where there is none.</returns>
    public static SweepRow? SmallestNearBest(IReadOnlyList<SweepRow> rows)
    {
        // Arrays for different purposes are not alternatives: the first row says which is meant.
        SweepRow? first = rows.FirstOrDefault(row => row.Entries is not null);
        if (first is null)
            return null;
        SweepRow[] comparable = [.. rows.Where(row => row.Entries is not null && row.Structure == first.Structure && row.PageSize == first.PageSize && row.Paging == first.Paging)];
        long fewest = comparable.Min(row => row.Misses);
        return comparable.Where(row => row.Misses <= fewest * Tolerance).OrderBy(row => row.Entries).ThenBy(row => row.Misses).First();
    }
}
