using System.Text.RegularExpressions;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>What <c>kernel-page-matrix</c> printed: a digest by group and controls.</summary>
internal static class PageMatrixOutput
{
    /// <summary>Lines in which a judge is known to be wrong.</summary>
    /// <param name="Lines">A regular expression that matches the lines' beginning up to the colon.</param>
    /// <param name="Rows">The rows of the checklist that it breaks there.</param>
    /// <param name="Why">What it does instead.</param>
    public sealed record Deviation(string Lines, string Rows, string Why);

    /// <summary>Fails unless a judge's lines differ exactly where it is known to deviate.</summary>
    public static void AssertDiffersOnlyIn(IReadOnlyList<Deviation> deviations, string expected, string actual)
    {
        Dictionary<string, string> right = Parse(expected), found = Parse(actual);
        Assert.Equal(right.Keys, found.Keys);
        Assert.All(deviations, deviation => Assert.Contains(right.Keys, line => Regex.IsMatch(line, deviation.Lines)));
        string[] known = [.. right.Keys.Where(line => deviations.Any(deviation => Regex.IsMatch(line, deviation.Lines)))];
        Assert.Equal(known, right.Keys.Where(line => right[line] != found[line]));
    }

    private static Dictionary<string, string> Parse(string output)
    {
        const string Total = "digest ";
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith(Total, lines[^1]);
        return lines[..^1].Select(line => line.Split(": ")).ToDictionary(parts => parts[0], parts => parts[1]);
    }
}
