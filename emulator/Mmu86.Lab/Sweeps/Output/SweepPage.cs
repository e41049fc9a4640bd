using System.Globalization;
using Mmu86.Lab.Pages;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>A sweep's result as one self-contained page.</summary>
public static class SweepPage
{
    private const int MostSymbols = 15;
    private const int MostPages = 30;
    private const int MostSamples = 100;

    /// <summary>The page as HTML. The same result gives the same bytes.</summary>
    public static string Write(SweepResult result) => PageWriter.Write(new Page
    {
        Title = $"{SweepWords.Program(result)}: TLB sweep {SweepWords.Printable(result.Grid)}",
        Facts = Facts(result),
        Cautions = SweepWords.Cautions(result),
        Answers = SweepWords.Answers(result),
        Sections =
        [
            .. SweepCharts.Sections(result),
            .. result.Misses is { } misses ? [Misses(misses)] : Array.Empty<PageSection>(),
            .. result.WorkingSet.Count > 0 ? [WorkingSet(result.WorkingSet)] : Array.Empty<PageSection>(),
        ],
    });

    private static PageFact[] Facts(SweepResult result) =>
    [
        new("Program", SweepWords.Program(result)),
        new("SHA-256", result.Program.Sha256),
        new("Machine", $"{result.Machine.Name}: {result.Machine.Description}"),
        new("Grid", $"{result.Grid}, {SweepWords.Number(result.Rows.Count)} configurations"),
        new("Paging", string.Join(", ", result.Rows.Select(row => row.Paging).Distinct())),
        new("Instructions", SweepWords.Number(result.Instructions)),
        new("Seed", result.Seed.ToString(CultureInfo.InvariantCulture)),
        new("Assumption", result.Assumption is null
            ? "every configuration sees the reference stream of the base machine"
            : "every configuration sees the reference stream of the base machine, though the guest's course depends on what the TLBs hold"),
    ];

    private static PageSection Misses(MissBreakdown misses)
    {
        MissGroup[] symbols = [.. misses.BySymbol.Take(MostSymbols)];
        string first = symbols.Length == 0 ? "" : $"; most, {SweepWords.Number(symbols[0].Misses.Total)}, in {SweepWords.Printable(symbols[0].Name)}";
        var chart = new BarChart
        {
            Title = "Misses of the base machine by class and symbol",
            Summary = $"{SweepWords.Number(misses.Total.Total)} misses of the base machine, divided by class for each symbol{first}.",
            Categories = [.. symbols.Select(symbol => SweepWords.Printable(symbol.Name))],
            Value = new ChartAxis("misses", ValueFormat.Count, AxisScale.Linear),
            Layout = BarLayout.Stacked,
            Series =
            [
                Class("compulsory", counts => counts.Compulsory), Class("capacity", counts => counts.Capacity),
                Class("conflict", counts => counts.Conflict), Class("invalidation", counts => counts.Invalidation),
            ],
            Table = Groups("Misses by symbol", "symbol", misses.BySymbol),
        };
        string text = "Compulsory: the page was never held before. Capacity: a fully associative LRU array of as many entries would have missed too. Conflict: it would not have. Invalidation: the entry was removed since.";
        DataTable[] pages =
        [
            // One size is the rule, and then the table would say what the sum says.
            .. misses.ByPageSize.Count <= 1 ? [] : new[] { Groups("Misses by page size", "page size", misses.ByPageSize) },
            .. misses.ByPage.Count == 0 ? [] : new[] { Groups("Pages with most misses", "page", [.. misses.ByPage.Take(MostPages)]) },
        ];
        return new PageSection("Where and why the base machine missed", text, symbols.Length == 0 ? [] : [chart], pages);

        BarSeries Class(string name, Func<MissClassCounts, long> count) => new(name, [.. symbols.Select(symbol => (double?)count(symbol.Misses))]);
    }

    private static DataTable Groups(string caption, string name, IReadOnlyList<MissGroup> groups) => new(
        caption,
        [new(name, DataColumnKind.Text), .. new[] { "misses", "compulsory", "capacity", "conflict", "invalidation" }.Select(column => new DataColumn(column, DataColumnKind.Number))],
        [
            .. groups.Select(group => (IReadOnlyList<string>)
            [
                SweepWords.Printable(group.Name), SweepWords.Number(group.Misses.Total), SweepWords.Number(group.Misses.Compulsory), SweepWords.Number(group.Misses.Capacity),
                SweepWords.Number(group.Misses.Conflict), SweepWords.Number(group.Misses.Invalidation),
            ]),
        ]);

    private static PageSection WorkingSet(IReadOnlyList<WorkingSetSample> samples)
    {
        LineChart small = Course("Pages of 4 KiB touched in each interval", samples, ("data", sample => sample.DataPages4K), ("code", sample => sample.CodePages4K));
        LineChart large = Course("Regions of 2 MiB touched in each interval: the working set were all pages of 2 MiB", samples, ("data", sample => sample.DataPages2M));
        return new PageSection("Working set", "", [small, large], []);
    }

    private static LineChart Course(string title, IReadOnlyList<WorkingSetSample> samples, params (string Name, Func<WorkingSetSample, long> Count)[] lines)
    {
        int step = (samples.Count + MostSamples - 1) / MostSamples;
        return new LineChart
        {
            Title = title,
            Summary = $"{title}: {string.Join("; ", lines.Select(line => $"{line.Name} {SweepWords.Number(samples.Min(line.Count))} to {SweepWords.Number(samples.Max(line.Count))}"))}.",
            X = new ChartAxis("instructions", ValueFormat.Count, AxisScale.Linear),
            Y = new ChartAxis("pages", ValueFormat.Count, AxisScale.Linear),
            Style = LineStyle.Course,
            Series = [.. lines.Select(line => new LineSeries(line.Name, [.. samples.Select(sample => new ChartPoint(sample.Instructions, line.Count(sample)))]))],
            Table = new DataTable(
                step == 1 ? "Each interval" : $"Every {SweepWords.Number(step)}th interval; the JSON has all",
                [.. new[] { "instructions" }.Concat(lines.Select(line => line.Name)).Select(name => new DataColumn(name, DataColumnKind.Number))],
                [
                    .. samples.Where((_, index) => index % step == step - 1 || index == samples.Count - 1)
                        .Select(sample => (IReadOnlyList<string>)[SweepWords.Number(sample.Instructions), .. lines.Select(line => SweepWords.Number(line.Count(sample)))]),
                ]),
        };
    }
}
