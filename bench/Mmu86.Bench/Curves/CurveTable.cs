using System.Globalization;
using Mmu86.Bench.Reporting;
using Mmu86.Lab.Pages;

namespace Mmu86.Bench.Curves;

/// <summary>Curves over numbers of pages: as Markdown, a row a curve, and as a chart.</summary>
internal sealed class CurveTable(string title, string unit, IReadOnlyList<int> pages)
{
    private readonly List<(string Name, IReadOnlyList<double?> Values)> _curves = [];

    /// <summary>Adds a curve: a value for each number of pages, or null where there is none.</summary>
    public void Add(string name, IReadOnlyList<double?> values) => _curves.Add((name, values));

    /// <summary>Writes the table under its title.</summary>
    public void Write(TextWriter output)
    {
        output.WriteLine($"## {title}");
        output.WriteLine();
        var table = new MarkdownTable([unit, .. pages.Select(count => $"{count}")]);
        foreach ((string name, IReadOnlyList<double?> values) in _curves)
            table.Add([name, .. values.Select(Text)]);
        table.Write(output);
        output.WriteLine();
    }

    /// <summary>The same as a section of a page.</summary>
    /// <param name="text">A sentence or two below the heading.</param>
    public PageSection ToSection(string text) => new(
        title,
        text,
        [
            new LineChart
            {
                Title = title,
                Summary = $"{title}: {_curves.Count} curves over {pages[0]} to {pages[^1]} pages.",
                X = new ChartAxis("pages", ValueFormat.Count, AxisScale.Log2),
                Y = new ChartAxis(unit, ValueFormat.Number, AxisScale.Log2),
                Series = [.. _curves.Select(curve => new LineSeries(curve.Name, [.. Points(curve.Values)]))],
                Table = new DataTable(
                    unit,
                    [new DataColumn("pages", DataColumnKind.Number), .. _curves.Select(curve => new DataColumn(curve.Name, DataColumnKind.Number))],
                    [.. pages.Select((count, index) => (IReadOnlyList<string>)[$"{count}", .. _curves.Select(curve => Text(curve.Values[index]))])]),
            },
        ],
        []);

    private IEnumerable<ChartPoint> Points(IReadOnlyList<double?> values)
    {
        for (int i = 0; i < pages.Count; i++)
        {
            if (values[i] is { } value)
                yield return new ChartPoint(pages[i], value);
        }
    }

    private static string Text(double? value) => value?.ToString("0.0", CultureInfo.InvariantCulture) ?? "";
}
