using System.Text.RegularExpressions;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>What <c>kernel-page-matrix</c> printed: a digest by group and controls.</summary>
internal static class PageMatrixOutput
{
    /// <summary>Lines in which a judge is known to be wrong.</summary>
    /// <param name="Lines">A regular expression for what is before the colon.</param>
    /// <param name="Rows">The rows of the checklist that it breaks there.</param>
    /// <param name="Why">What it does instead.</param>
    public sealed record Deviation(string Lines, string Rows, string Why);

    /// <summary>Fails unless a judge printed the lines of one of the outputs and differs from it in all lines where it is known to deviate, and no other.</summary>
    public static void AssertDiffersExactlyIn(IReadOnlyList<Deviation> deviations, IReadOnlyList<string> expected, string actual)
    {
        string[] different = Differences(expected, actual, out IReadOnlyCollection<string> lines);
        Assert.Equal(lines.Where(line => deviations.Any(deviation => Regex.IsMatch(line, deviation.Lines))), different);
        AssertEachIsSeen(deviations, different);
    }

    /// <summary>The same for deviations that few cases, or some versions, show: no line may differ that none of them covers.</summary>
    public static void AssertDiffersWithin(IReadOnlyList<Deviation> deviations, IReadOnlyList<string> expected, string actual)
    {
        string[] different = Differences(expected, actual, out _);
        Assert.DoesNotContain(different, line => !deviations.Any(deviation => Regex.IsMatch(line, deviation.Lines)));
    }

    private static string[] Differences(IReadOnlyList<string> expected, string actual, out IReadOnlyCollection<string> lines)
    {
        Dictionary<string, string> found = Parse(actual);
        Dictionary<string, string> right = Assert.Single(expected.Select(Parse), output => output.Keys.SequenceEqual(found.Keys));
        lines = right.Keys;
        return [.. right.Keys.Where(line => right[line] != found[line])];
    }

    private static void AssertEachIsSeen(IReadOnlyList<Deviation> deviations, string[] different) =>
        Assert.All(deviations, deviation => Assert.Contains(different, line => Regex.IsMatch(line, deviation.Lines)));

    private static Dictionary<string, string> Parse(string output)
    {
        const string Total = "digest ";
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length > 0 && lines[^1].StartsWith(Total, StringComparison.Ordinal), $"The image did not come to its end: {output}");
        return lines[..^1].Select(line => line.Split(": ")).ToDictionary(parts => parts[0], parts => parts[1]);
    }
}
