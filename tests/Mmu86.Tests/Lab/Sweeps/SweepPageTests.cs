using System.Text.Json;
using System.Text.RegularExpressions;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Output;
using Mmu86.TestKit.Sweeps;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>The page of a sweep: whole in itself, the same every time, and nobody's names can become markup.</summary>
public sealed partial class SweepPageTests
{
    [Fact]
    public void Write_Twice_GivesTheSameBytes() => Assert.Equal(SweepPage.Write(SampleSweeps.Lru()), SweepPage.Write(SampleSweeps.Lru()));

    [Fact]
    public void Write_AnyResult_ReferencesNothingOutside()
    {
        foreach (SweepResult result in new[] { SampleSweeps.Lru(), SampleSweeps.TwoLevels(), SampleSweeps.Hostile(), SampleSweeps.Small() })
        {
            string markup = Scripts().Replace(SweepPage.Write(result), "<script></script>");

            Assert.DoesNotMatch("""(?i)<(link|img|iframe|object|embed|base|form)\b|<[^>]*\s(src|href|srcset|action|background)\s*=|@import|url\(""", markup);
            Assert.DoesNotContain("http:", markup);
            Assert.DoesNotContain("https:", markup);
            Assert.Contains("content=\"default-src 'none'; script-src 'sha256-", markup);
        }
    }

    [Fact]
    public void Write_Scripts_AreExactlyThoseThatThePolicyNames()
    {
        string page = SweepPage.Write(SampleSweeps.Hostile());

        string[] scripts = [.. Scripts().Matches(page).Where(match => match.Groups[1].Value.Length == 0).Select(match => match.Groups[2].Value)];
        Assert.Equal(2, scripts.Length);
        foreach (string script in scripts)
        {
            byte[] digest = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(script));
            Assert.Contains($"'sha256-{Convert.ToBase64String(digest)}'", page);
            Assert.DoesNotContain('\r', script);
            Assert.DoesNotContain("<!--", script);
        }
    }

    [Fact]
    public void Write_Library_KeepsItsNotices()
    {
        string page = SweepPage.Write(SampleSweeps.Small());

        Assert.Contains("Licensed to the Apache Software Foundation (ASF) under one", page);
        Assert.Contains("Apache License, Version 2.0", page);
    }

    [Fact]
    public void Write_HostileNames_StayText()
    {
        string page = SweepPage.Write(SampleSweeps.Hostile());
        string markup = Scripts().Replace(page, match => match.Groups[1].Value.Length == 0 ? "" : match.Value);

        Assert.DoesNotContain("<script>alert", markup);
        Assert.DoesNotContain("<img", markup);
        Assert.DoesNotContain("onerror=alert(2)>", markup.Replace("onerror=alert(2)&gt;", ""));
        Assert.DoesNotContain(markup, character => char.IsControl(character) && character != '\n');
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", markup);
        Assert.Contains("&amp;amp;", markup);
        // The charts' data still carry the names as they are.
        string[] categories = [.. Charts(page).Where(chart => chart.TryGetProperty("categories", out _)).SelectMany(chart => chart.GetProperty("categories").EnumerateArray()).Select(name => name.GetString()!)];
        Assert.Contains("<script>alert(1)</script>", categories);
    }

    [Fact]
    public void Write_Surface_HasACellForEveryRowAndFramesTheSmallest()
    {
        SweepResult result = SampleSweeps.Lru();

        JsonElement surface = Charts(SweepPage.Write(result)).Single(chart => chart.GetProperty("kind").GetString() == "heat");

        JsonElement[] cells = [.. surface.GetProperty("cells").EnumerateArray()];
        Assert.Equal(160, cells.Length);
        string[] sets = [.. surface.GetProperty("x").GetProperty("values").EnumerateArray().Select(value => value.GetString()!)];
        string[] ways = [.. surface.GetProperty("y").GetProperty("values").EnumerateArray().Select(value => value.GetString()!)];
        foreach (JsonElement cell in cells)
        {
            SweepRow row = result.Rows.Single(row => $"{row.Sets}" == sets[cell.GetProperty("x").GetInt32()] && $"{row.Ways}" == ways[cell.GetProperty("y").GetInt32()]);
            Assert.Equal(row.MissRatio, cell.GetProperty("value").GetDouble());
            Assert.Equal(row == result.SmallestNearBest, cell.GetProperty("chosen").GetBoolean());
        }
    }

    [Fact]
    public void Write_EveryChart_HasASummaryAndATable()
    {
        string page = SweepPage.Write(SampleSweeps.Lru());

        int charts = Charts(page).Count();
        Assert.Equal(5, charts);
        Assert.Equal(charts, Regex.Count(page, "<div class=\"plot\" role=\"img\" aria-label=\"[^\"]{20,}\"></div>"));
        Assert.Equal(charts, Regex.Count(page, "<details><summary>The same as a table</summary>\n<div class=\"scroll\" tabindex=\"0\"><table>"));
    }

    [Fact]
    public void Write_ConfigurationsOfSeveralLevels_HaveBarsForNativeAndNested()
    {
        JsonElement bars = Charts(SweepPage.Write(SampleSweeps.TwoLevels())).First();

        Assert.Equal(12, bars.GetProperty("categories").GetArrayLength());
        Assert.Equal("l1d-4k sets 16, l2-4k-2m sets 64", bars.GetProperty("categories")[0].GetString());
        Assert.Equal(["native", "nested"], bars.GetProperty("series").EnumerateArray().Select(series => series.GetProperty("name").GetString()));
    }

    private static IEnumerable<JsonElement> Charts(string page) =>
        Scripts().Matches(page).Where(match => match.Groups[1].Value.Length > 0).Select(match => JsonDocument.Parse(match.Groups[2].Value).RootElement);

    [GeneratedRegex("""<script( type="application/json")?>(.*?)</script>""", RegexOptions.Singleline)]
    private static partial Regex Scripts();
}
