namespace Mmu86.Bench.Reporting;

/// <summary>What is made of several measurements of one thing.</summary>
internal static class Samples
{
    /// <summary>The list of samples of one thing, made when it is asked for first.</summary>
    public static List<TSample> GetOrAdd<TKey, TSample>(this Dictionary<TKey, List<TSample>> samples, TKey key)
        where TKey : notnull
    {
        if (!samples.TryGetValue(key, out List<TSample>? list))
            samples.Add(key, list = []);
        return list;
    }

    /// <summary>The middle one, or the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int half = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    /// <summary>The mean of ratios: half and double cancel out.</summary>
    public static double GeometricMean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));

    /// <summary>How far the samples lie apart: half the distance of the quartiles, relative to the median.</summary>
    public static double Spread(IReadOnlyCollection<double> values)
    {
        double[] sorted = [.. values.Order()];
        double low = sorted[(sorted.Length - 1) / 4], high = sorted[sorted.Length - 1 - ((sorted.Length - 1) / 4)];
        return (high - low) / 2 / Median(sorted);
    }
}
