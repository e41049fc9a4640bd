namespace Mmu86.Lab.Configuration;

/// <summary>Finds the name that a person probably meant.</summary>
public static class Suggestion
{
    // With two letters, one edit is half of the word.
    private const int ShortestName = 3;

    // A name longer than this is no typing error of ours, and the distance below is quadratic.
    private const int LongestName = 100;

    /// <summary>The candidate nearest to what was written.</summary>
    /// <returns>Null where none is near: more than a third of the letters differ and neither begins with the other.</returns>
    public static string? Nearest(string written, IEnumerable<string> candidates)
    {
        if (written.Length is < ShortestName or > LongestName)
            return null;

        string? best = null;
        int bestDistance = int.MaxValue;
        foreach (string candidate in candidates)
        {
            if (candidate.Length > LongestName)
                continue;
            int distance = candidate.StartsWith(written, StringComparison.OrdinalIgnoreCase) || written.StartsWith(candidate, StringComparison.OrdinalIgnoreCase)
                ? 1
                : Distance(written.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (distance >= bestDistance || distance > Math.Max(1, Math.Max(written.Length, candidate.Length) / 3))
                continue;
            best = candidate;
            bestDistance = distance;
        }

        return best;
    }

    /// <summary>The suggestion as an ending of a sentence: <c>; did you mean 'skylake'?</c>, or nothing.</summary>
    public static string Ending(string written, IEnumerable<string> candidates) =>
        Nearest(written, candidates) is string nearest ? $"; did you mean '{nearest}'?" : "";

    // Insertions, deletions, replacements and swaps of neighbours, each of cost 1 (optimal string alignment).
    private static int Distance(string a, string b)
    {
        int[] beforePrevious = new int[b.Length + 1];
        int[] previous = new int[b.Length + 1];
        int[] current = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++)
            previous[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                current[j] = Math.Min(replaced, Math.Min(previous[j], current[j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    current[j] = Math.Min(current[j], beforePrevious[j - 2] + 1);
            }

            (beforePrevious, previous, current) = (previous, current, beforePrevious);
        }

        return previous[b.Length];
    }
}
