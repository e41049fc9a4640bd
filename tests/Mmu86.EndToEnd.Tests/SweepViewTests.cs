using Mmu86.Cli.CommandLine;
using Mmu86.Cli.Rendering;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Output;
using Mmu86.TestKit.Sweeps;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary>A sweep's result on a terminal.</summary>
public sealed class SweepViewTests
{
    [Fact]
    public void Write_SetsTimesWays_IsOneMatrixWithALineForEachWay()
    {
        string[] lines = Lines(SampleSweeps.Lru());

        int header = Array.FindIndex(lines, line => line.TrimStart().StartsWith("ways", StringComparison.Ordinal));
        Assert.Equal(["ways", "1 set", "2 sets", "4 sets", "8 sets", "16 sets", "32 sets", "64 sets", "128 sets", "256 sets", "512 sets"], Words(lines[header]));
        for (int ways = 1; ways <= 16; ways++)
        {
            string[] words = Words(lines[header + ways]);
            Assert.Equal(11, words.Length);
            Assert.Equal($"{ways}", words[0]);
        }

        Assert.Contains("*", Words(lines[header + 15])[8]);
        Assert.True(lines.Length < 80, $"{lines.Length} lines");
        Assert.All(lines, line => Assert.True(line.Length <= 120, line));
    }

    [Fact]
    public void Write_Answers_AreSentences()
    {
        // Sentences wrap where the terminal ends.
        string text = string.Join(' ', string.Join(' ', Lines(SampleSweeps.Lru())).Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Contains("The smallest configuration within 1 percent of the best: l1d, 4 KiB pages, 128 sets of 15 ways, 1,920 entries: 0.012% of lookups miss.", text);
        Assert.Contains("compulsory", text);
        Assert.Contains("With 2 MiB pages 4,321 of these misses would remain", text);
        Assert.Contains("The working set of data is", text);
    }

    [Fact]
    public void Write_ConfigurationsOfSeveralLevels_HaveALineEach()
    {
        SweepResult result = SampleSweeps.TwoLevels();

        string[] lines = Lines(result);

        Assert.All(result.Rows, row => Assert.Single(lines, line =>
            line.EndsWith(SweepWords.ShortConfiguration(row), StringComparison.Ordinal) && line.TrimStart().StartsWith(row.Paging, StringComparison.Ordinal)));
        Assert.Contains(lines, line => line.Contains("may differ from direct simulation: the guest reads a clock that counts cycles.", StringComparison.Ordinal));
    }

    [Fact]
    public void Write_HostileNames_LeaveNoControlCharacterAndNoMarkup()
    {
        string text = string.Join('\n', Lines(SampleSweeps.Hostile()));

        Assert.DoesNotContain(text, character => char.IsControl(character) && character != '\n');
        Assert.Contains("[red]markup[/]", text);
    }

    [Fact]
    public void Write_SmallResult_GivesExactlyThisText() =>
        Assert.Equal(
            [
                "", " hash-table 200000 on skylake, grid one: 1 configurations, 50,000,000 instructions", "", " l1d, 4 KiB pages",
                "paging lookups misses missed MPKI walk references configuration",
                "native 20,000,000 1,234 0.006% 0.02 4,936 16 sets of 4 ways, 64 entries, lru linear",
            ],
            Lines(SampleSweeps.Small()).Select((line, index) => index < 4 ? line : string.Join(' ', Words(line))).TakeWhile((line, index) => index < 4 || line.Length > 0));

    private static string[] Lines(SweepResult result)
    {
        using var text = new StringWriter();
        SweepView.Write(TerminalFactory.Create(text, new StandardStreams(Stream.Null, Stream.Null)), result);
        return [.. text.ToString().Split('\n').Select(line => line.TrimEnd())];
    }

    private static string[] Words(string line) => System.Text.RegularExpressions.Regex.Split(line.Trim(), " {2,}|(?<=native) ");
}
