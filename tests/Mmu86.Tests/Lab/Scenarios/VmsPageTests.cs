using System.Text.Json;
using System.Text.RegularExpressions;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Scenarios;
using Xunit;

namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>The page and the table of a scenario's report.</summary>
public sealed partial class VmsPageTests
{
    [Fact]
    public void Write_Host_ShadesTheTimesInWhichItWasShort()
    {
        JsonElement free = Chart(VmsPage.Write(SampleVms.Report("a", "b")), "free");

        Assert.Equal(10, free.GetProperty("series")[0].GetProperty("points").GetArrayLength());
        Assert.Equal(
            ["soft 2-4", "hard 4-5", "low 5-6", "soft 8-9"],
            free.GetProperty("bands").EnumerateArray().Select(band => $"{band.GetProperty("name")} {band.GetProperty("from")}-{band.GetProperty("to")}"));
        Assert.Equal([0, 1, 2, 0], free.GetProperty("bands").EnumerateArray().Select(band => band.GetProperty("tone").GetInt32()));
    }

    [Fact]
    public void Write_Machines_HaveCoursesAndRatesInTheUnitsOfTheAxis()
    {
        string page = VmsPage.Write(SampleVms.Report("a", "b"));

        // 256 and 512 frames are 1 and 2 MiB; a million instructions in a millisecond are 1000 million a second.
        Assert.Equal(1, Y(Chart(page, "Resident memory"), 0));
        Assert.Equal(2, Y(Chart(page, "Resident memory"), 1));
        Assert.Equal(1000, Y(Chart(page, "Instructions"), 0));
        Assert.Equal(2000, Y(Chart(page, "Instructions"), 1));
        Assert.Equal(10, Y(Chart(page, "Pages given"), 0));
        Assert.Equal(62.5, Y(Chart(page, "Swap traffic"), 0));

        static double Y(JsonElement chart, int line) => Math.Round(chart.GetProperty("series")[line].GetProperty("points")[4][1].GetDouble(), 6);
    }

    [Fact]
    public void Write_QuantityThatIsNeverThere_HasNoChartAndOneThatAppearsHas()
    {
        VmsReport report = SampleVms.Report("a", "b");
        Assert.DoesNotContain("Ballooned memory", VmsPage.Write(report), StringComparison.Ordinal);
        Assert.DoesNotContain("Pages from swap", VmsPage.Write(report), StringComparison.Ordinal);

        VmsReport ballooned = report with
        {
            Timeline = [.. report.Timeline.Select(moment => moment with { Machines = [moment.Machines[0], moment.Machines[1] with { Ballooned = 512 }] })],
        };
        JsonElement series = Assert.Single(Chart(VmsPage.Write(ballooned), "Ballooned memory").GetProperty("series").EnumerateArray());
        Assert.Equal(("b", 2.0), (series.GetProperty("name").GetString(), series.GetProperty("points")[3][1].GetDouble()));
    }

    [Fact]
    public void Write_MoreMachinesThanLines_DrawsTheLargestAndTheSumOfTheOthers()
    {
        JsonElement resident = Chart(VmsPage.Write(SampleVms.Report([.. Enumerable.Range(1, 20).Select(i => $"m{i}")])), "Resident memory");

        Assert.Equal(["m15", "m16", "m17", "m18", "m19", "m20", "14 others together"], resident.GetProperty("series").EnumerateArray().Select(line => line.GetProperty("name").GetString()));
        Assert.Equal(Enumerable.Range(1, 14).Sum(), resident.GetProperty("series")[6].GetProperty("points")[0][1].GetDouble());
    }

    [Fact]
    public void Write_AnyReport_ReferencesNothingOutsideAndNamesStayText()
    {
        string page = VmsPage.Write(SampleVms.Report("</script><img alt=x>", "b\u0007"));
        string markup = Scripts().Replace(page, "<script></script>");

        Assert.Equal(page, VmsPage.Write(SampleVms.Report("</script><img alt=x>", "b\u0007")));
        Assert.DoesNotMatch("""(?i)<(link|img|iframe|object|embed|base|form)\b|<[^>]*\s(src|href|srcset|action|background)\s*=|@import|url\(""", markup);
        Assert.Contains("&lt;/script&gt;&lt;img alt=x&gt;", markup, StringComparison.Ordinal);
        Assert.DoesNotContain("\u0007", page, StringComparison.Ordinal);
        Assert.Contains(new string('a', 64), markup, StringComparison.Ordinal);
        int charts = Charts(page).Count();
        Assert.Equal(charts, Regex.Count(page, "<div class=\"plot\" role=\"img\" aria-label=\"[^\"]{20,}\"></div>"));
        Assert.Equal(charts, Regex.Count(page, "<details><summary>The same as a table</summary>\n<div class=\"scroll\" tabindex=\"0\"><table>"));
    }

    [Fact]
    public void Write_GuestThatSaysByItsDebugExitThatAllIsWell_EndedWell()
    {
        VmsReport report = SampleVms.Report("a", "b");
        VmsReport Ended(int code) => report with
        {
            Machines = [.. report.Machines.Select(machine => machine with { Exit = new ExitReport { Kind = ExitKind.Exited, Status = (code << 1) | 1, DebugCode = code } })],
        };

        Assert.Contains("Every machine ended well.", VmsPage.Write(Ended(0)), StringComparison.Ordinal);
        Assert.Contains("2 of 2 machines did not end well.", VmsPage.Write(Ended(1)), StringComparison.Ordinal);
    }

    [Fact]
    public void Csv_HasALineForEachMomentAndMachine()
    {
        string[] lines = VmsCsv.Write(SampleVms.Report("a", "b,c")).TrimEnd('\n').Split('\n');

        Assert.Equal("time,free,state,machine,resident,swapped,shared,ballooned,instructions,swapInBytes,swapOutBytes,faults", lines[0]);
        Assert.Equal(21, lines.Length);
        Assert.Equal("4000000,2976,hard,a,256,64,,,4000000,0,262144,40", lines[9]);
        Assert.Equal("4000000,2976,hard,\"b,c\",512,0,,,8000000,0,0,40", lines[10]);
    }

    private static JsonElement Chart(string page, string title)
    {
        int at = page.IndexOf($"<figcaption>{title}", StringComparison.OrdinalIgnoreCase);
        return JsonDocument.Parse(Scripts().Match(page, at).Groups[2].Value).RootElement;
    }

    private static IEnumerable<JsonElement> Charts(string page) =>
        Scripts().Matches(page).Where(match => match.Groups[1].Value.Length > 0).Select(match => JsonDocument.Parse(match.Groups[2].Value).RootElement);

    [GeneratedRegex("""<script( type="application/json")?>(.*?)</script>""", RegexOptions.Singleline)]
    private static partial Regex Scripts();
}
