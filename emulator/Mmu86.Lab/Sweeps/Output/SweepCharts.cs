using System.Globalization;
using System.Numerics;
using Mmu86.Lab.Pages;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>The charts of a sweep's rows.</summary>
internal static class SweepCharts
{
    // Lines that a reader can still tell apart.
    private const int MostLines = 7;
    private const int MostBars = 40;
    private const int MostTableRows = 2000;

    /// <summary>One section for each surface, one for the curves and one for the configurations of each structure.</summary>
    public static IEnumerable<PageSection> Sections(SweepResult result)
    {
        IReadOnlyList<SweepFamily> families = SweepFamily.Of(result);
        foreach (SweepFamily family in families.Where(family => family.Shape == SweepShape.Matrix))
            yield return Surface(family, result.SmallestNearBest);
        foreach (IGrouping<string, SweepFamily> group in families.Where(family => family.Shape == SweepShape.Curve).GroupBy(family => SweepWords.Structure(family.Rows[0])))
            yield return Curves(group.Key, [.. group]);
        foreach (SweepFamily family in families.Where(family => family.Shape == SweepShape.List))
            yield return Configurations(family);
    }

    private static PageSection Surface(SweepFamily family, SweepRow? chosen)
    {
        SweepRow least = family.Rows.MinBy(row => row.MissRatio)!;
        var surface = new HeatMap
        {
            Title = "Miss ratio by sets and ways",
            Summary = $"Miss ratio of {family.Title} by sets and ways: from {SweepWords.Percent(least.MissRatio)} with {SweepWords.Configuration(least)} to {SweepWords.Percent(family.Rows.Max(row => row.MissRatio))}.",
            XName = "sets",
            XValues = Texts(family.Sets),
            YName = "ways",
            YValues = Texts(family.Ways),
            ValueName = "miss ratio",
            Format = ValueFormat.Ratio,
            Cells =
            [
                .. from y in Enumerable.Range(0, family.Ways.Count)
                   from x in Enumerable.Range(0, family.Sets.Count)
                   let row = family.At(family.Sets[x], family.Ways[y])
                   where row is not null
                   select new HeatCell(x, y, row.MissRatio, $"{SweepWords.Number(row.Entries!.Value)} entries, {SweepWords.Number(row.Misses)} misses", row == chosen),
            ],
            Table = Matrix(family),
        };
        LineSeries[] lines =
        [
            .. LegibleWays(family.Ways).Select(ways => new LineSeries(
                ways == 1 ? "1 way" : $"{ways} ways",
                [.. family.Rows.Where(row => row.Ways == ways).OrderBy(row => row.Entries).Select(Point)])),
        ];
        LineChart curves = Curve("Miss ratio by entries, a line for each number of ways", lines, Rows("All configurations", family.Rows));
        string text = chosen is not null && family.Rows.Contains(chosen) ? $"The frame marks the smallest within 1 percent of the best: {SweepWords.Configuration(chosen)}." : "";
        return new PageSection(family.Title, text, [surface, curves], []);
    }

    private static PageSection Curves(string title, IReadOnlyList<SweepFamily> families)
    {
        LineSeries[] lines = [.. families.Select(family => new LineSeries(LineName(family.Rows[0]), [.. family.Rows.OrderBy(row => row.Entries).Select(Point)]))];
        return new PageSection(title, "", [Curve("Miss ratio by entries", lines, Rows("All configurations", [.. families.SelectMany(family => family.Rows)]))], []);
    }

    private static PageSection Configurations(SweepFamily family)
    {
        // A configuration has one row for each kind of paging.
        (string Key, SweepRow[] Rows)[] all = [.. family.Rows.GroupBy(Key).Select(group => (group.Key, group.ToArray()))];
        (string Key, SweepRow[] Rows)[] shown = all.Length <= MostBars ? all : [.. all.OrderBy(one => one.Rows.Min(row => row.MissRatio)).Take(MostBars)];
        string[] pagings = [.. family.Rows.Select(row => row.Paging).Distinct()];
        DataTable table = Rows("All configurations", family.Rows);
        bool hasCycles = family.Rows.All(row => row.WalkCycles is not null);
        Chart[] charts =
        [
            Bars("Miss ratio", ValueFormat.Ratio, row => row.MissRatio),
            hasCycles ? Bars("Walk cycles", ValueFormat.Count, row => row.WalkCycles!.Value) : Bars("Walk references", ValueFormat.Count, row => row.WalkReferences),
        ];
        string text = shown.Length < all.Length ? $"The charts show the {MostBars} of {SweepWords.Number(all.Length)} configurations that miss least; the tables have all." : "";
        return new PageSection(family.Title, text, charts, []);

        BarChart Bars(string name, ValueFormat format, Func<SweepRow, double> value)
        {
            SweepRow least = family.Rows.MinBy(value)!;
            return new BarChart
            {
                Title = $"{name} of each configuration",
                Summary = $"{name} of {family.Rows.Count} configurations; the least has {SweepWords.ShortConfiguration(least)} with {least.Paging} paging.",
                Categories = [.. shown.Select(one => SweepWords.ShortConfiguration(one.Rows[0]))],
                Value = new ChartAxis(name.ToLowerInvariant(), format, AxisScale.Linear),
                Layout = BarLayout.Grouped,
                Series =
                [
                    .. pagings.Select(paging => new BarSeries(
                        SweepWords.Printable(paging),
                        [.. shown.Select(one => one.Rows.FirstOrDefault(row => row.Paging == paging) is SweepRow row ? (double?)value(row) : null)])),
                ],
                Table = table,
            };
        }
    }

    private static string Key(SweepRow row) => string.Create(CultureInfo.InvariantCulture, $"{row.Settings}\n{row.Sets}\n{row.Ways}\n{row.Replacement}\n{row.Hash}");

    private static LineChart Curve(string title, IReadOnlyList<LineSeries> lines, DataTable table)
    {
        double least = lines.SelectMany(line => line.Points).Min(point => point.Y);
        double most = lines.SelectMany(line => line.Points).Max(point => point.Y);
        return new LineChart
        {
            Title = title,
            Summary = $"{title}: {SweepWords.Percent(most)} at most, {SweepWords.Percent(least)} at least.",
            X = new ChartAxis("entries", ValueFormat.Count, AxisScale.Log2),
            Y = new ChartAxis("miss ratio", ValueFormat.Ratio, AxisScale.Linear),
            Series = lines,
            Table = table,
        };
    }

    // A place on a scale of factors; an unbounded array has no number of entries and no place.
    private static ChartPoint Point(SweepRow row) => new(Math.Max(1, row.Entries!.Value), row.MissRatio);

    private static string LineName(SweepRow row) => SweepWords.Printable($"{row.Replacement?.ToUpperInvariant()} {row.Hash} {row.Paging}".Trim());

    private static IEnumerable<int> LegibleWays(IReadOnlyList<int> ways) =>
        ways.Count <= MostLines ? ways : ways.Where(count => BitOperations.IsPow2(count)).TakeLast(MostLines);

    private static string[] Texts(IEnumerable<int> values) => [.. values.Select(value => value.ToString(CultureInfo.InvariantCulture))];

    private static DataTable Matrix(SweepFamily family) => new(
        "Miss ratio; one line for each number of ways",
        [.. new[] { "ways" }.Concat(Texts(family.Sets).Select(sets => sets == "1" ? "1 set" : $"{sets} sets")).Select(name => new DataColumn(name, DataColumnKind.Number))],
        [
            .. family.Ways.Select(ways => (IReadOnlyList<string>)
            [
                ways.ToString(CultureInfo.InvariantCulture), .. family.Sets.Select(sets => family.At(sets, ways) is SweepRow row ? SweepWords.Percent(row.MissRatio) : "-"),
            ]),
        ]);

    private static DataTable Rows(string caption, IReadOnlyList<SweepRow> rows)
    {
        bool hasWalks = rows.Any(row => row.Walks is not null);
        bool hasCycles = rows.Any(row => row.WalkCycles is not null);
        List<DataColumn> columns = [new("configuration", DataColumnKind.Text), new("paging", DataColumnKind.Text)];
        columns.AddRange(new[] { "lookups", "misses", "miss ratio", "MPKI", "walk references" }.Select(name => new DataColumn(name, DataColumnKind.Number)));
        if (hasWalks)
            columns.Add(new DataColumn("walks", DataColumnKind.Number));
        if (hasCycles)
            columns.Add(new DataColumn("walk cycles", DataColumnKind.Number));
        string what = rows.Count > MostTableRows ? $"{caption}: the first {SweepWords.Number(MostTableRows)} of {SweepWords.Number(rows.Count)}; the CSV has all" : caption;
        return new DataTable(what, columns, [.. rows.Take(MostTableRows).Select(Cells)]);

        IReadOnlyList<string> Cells(SweepRow row)
        {
            string policy = row.Entries is null ? "" : SweepWords.Printable($", {row.Replacement} {row.Hash}");
            List<string> cells =
            [
                SweepWords.Configuration(row) + policy, SweepWords.Printable(row.Paging), SweepWords.Number(row.Lookups), SweepWords.Number(row.Misses),
                SweepWords.Percent(row.MissRatio), SweepWords.Fixed(row.Mpki), SweepWords.Number(row.WalkReferences),
            ];
            if (hasWalks)
                cells.Add(row.Walks is long walks ? SweepWords.Number(walks) : "-");
            if (hasCycles)
                cells.Add(row.WalkCycles is long cycles ? SweepWords.Number(cycles) : "-");
            return cells;
        }
    }
}
