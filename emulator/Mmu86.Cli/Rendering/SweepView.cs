using System.Globalization;
using System.Text;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Output;
using Spectre.Console;

namespace Mmu86.Cli.Rendering;

/// <summary>A sweep's result for people: surfaces as matrices, other configurations line by line, then what they mean.</summary>
internal sealed class SweepView
{
    // More than this nobody reads on a terminal; files have all.
    private const int MostRows = 200;
    private const int MostGroups = 10;
    private const int SparkWidth = 60;
    private const int CellWidth = 9;
    private const double NearBest = 1.01;
    private const string Sparks = "▁▂▃▄▅▆▇█";

    private static readonly Style s_bold = new(decoration: Decoration.Bold);
    private static readonly Style s_dim = new(decoration: Decoration.Dim);
    private static readonly Style s_near = new(Color.Green);
    private static readonly Style s_chosen = new(Color.Green, decoration: Decoration.Bold);

    private readonly IAnsiConsole _console;
    private readonly SweepResult _result;

    private SweepView(IAnsiConsole console, SweepResult result)
    {
        _console = console;
        _result = result;
    }

    /// <summary>Writes the result.</summary>
    public static void Write(IAnsiConsole console, SweepResult result) => new SweepView(console, result).Write();

    private void Write()
    {
        _console.WriteLine();
        Line($"{SweepWords.Program(_result)} on {SweepWords.Printable(_result.Machine.Name)}, grid {SweepWords.Printable(_result.Grid)}: {_result.Rows.Count} configurations, {SweepWords.Number(_result.Instructions)} instructions", s_bold);
        foreach (string caution in SweepWords.Cautions(_result))
            Line(caution);
        _console.WriteLine();
        foreach (SweepFamily family in SweepFamily.Of(_result))
        {
            if (family.Shape == SweepShape.Matrix)
                WriteMatrix(family);
            else
                WriteRows(family);
        }

        foreach (string answer in SweepWords.Answers(_result))
            Line(answer);
        _console.WriteLine();
        if (_result.Misses is { } misses)
        {
            if (misses.ByPageSize.Count > 1)
                WriteGroups("page size", misses.ByPageSize);
            WriteGroups("symbol", misses.BySymbol);
            WriteGroups("page", misses.ByPage);
        }

        WriteWorkingSet();
    }

    private void WriteMatrix(SweepFamily family)
    {
        double best = family.Rows.Min(row => row.MissRatio);
        double least = family.Rows.Where(row => row.Misses > 0).Select(row => row.MissRatio).DefaultIfEmpty(1).Min();
        string format = least < 0.001 ? "F3" : "F2";
        Line($"{family.Title}: percent of lookups that missed");
        int columns = Math.Max(1, (_console.Profile.Width - 8) / CellWidth);
        foreach (int[] sets in family.Sets.Chunk(columns))
        {
            Table table = NewTable();
            AddColumn(table, "ways");
            foreach (int count in sets)
                AddColumn(table, count == 1 ? "1 set" : string.Create(CultureInfo.InvariantCulture, $"{count} sets"));
            foreach (int ways in family.Ways)
            {
                table.AddRow(
                [
                    new Text(ways.ToString(CultureInfo.InvariantCulture), s_dim),
                    .. sets.Select(count => Cell(family.At(count, ways), best, format)),
                ]);
            }

            _console.Write(table);
        }

        if (_result.SmallestNearBest is SweepRow smallest && family.Rows.Contains(smallest))
            Line("* the smallest within 1 percent of the best", s_dim);
        _console.WriteLine();
    }

    private Text Cell(SweepRow? row, double best, string format)
    {
        if (row is null)
            return new Text("-");
        string text = (row.MissRatio * 100).ToString(format, CultureInfo.InvariantCulture);
        if (row == _result.SmallestNearBest)
            return new Text($"*{text}", s_chosen);
        return row.MissRatio <= best * NearBest ? new Text(text, s_near) : new Text(text);
    }

    private void WriteRows(SweepFamily family)
    {
        IReadOnlyList<SweepRow> rows = family.Rows;
        bool hasWalks = rows.Any(row => row.Walks is not null);
        bool hasCycles = rows.Any(row => row.WalkCycles is not null);
        bool isList = family.Shape == SweepShape.List;
        Line(family.Title);
        Table table = NewTable();
        if (isList)
            AddColumn(table, "paging", Justify.Left);
        foreach (string name in new[] { "lookups", "misses", "missed", "MPKI" })
            AddColumn(table, name);
        if (hasWalks)
            AddColumn(table, "walks");
        AddColumn(table, "walk references");
        if (hasCycles)
            AddColumn(table, "walk cycles");
        // The last one may wrap: settings are as long as their paths.
        table.AddColumn(new TableColumn(new Text("configuration", s_dim)));
        foreach (SweepRow row in rows.Take(MostRows))
        {
            List<Text> cells = [];
            if (isList)
                cells.Add(new Text(SweepWords.Printable(row.Paging)));
            cells.Add(new Text(SweepWords.Number(row.Lookups)));
            cells.Add(new Text(SweepWords.Number(row.Misses)));
            cells.Add(new Text(SweepWords.Percent(row.MissRatio)));
            cells.Add(new Text(SweepWords.Fixed(row.Mpki)));
            if (hasWalks)
                cells.Add(new Text(Optional(row.Walks)));
            cells.Add(new Text(SweepWords.Number(row.WalkReferences)));
            if (hasCycles)
                cells.Add(new Text(Optional(row.WalkCycles)));
            string configuration = isList && row.Entries is not null ? $"{SweepWords.Configuration(row)}, {SweepWords.Printable($"{row.Replacement} {row.Hash}")}" : SweepWords.ShortConfiguration(row);
            bool isChosen = row == _result.SmallestNearBest;
            cells.Add(new Text(isChosen ? $"* {configuration}" : configuration, isChosen ? s_chosen : null));
            table.AddRow(cells);
        }

        _console.Write(table);
        if (rows.Count > MostRows)
            Line($"... and {SweepWords.Number(rows.Count - MostRows)} more: --csv, --json and --html have all", s_dim);
        _console.WriteLine();
    }

    private void WriteGroups(string kind, IReadOnlyList<MissGroup> groups)
    {
        if (groups.Count == 0)
            return;
        Table table = NewTable();
        AddColumn(table, $"misses by {kind}", Justify.Left);
        foreach (string name in new[] { "misses", "compulsory", "capacity", "conflict", "invalidation" })
            AddColumn(table, name);
        foreach (MissGroup group in groups.Take(MostGroups))
        {
            MissClassCounts counts = group.Misses;
            table.AddRow(
            [
                new Text(SweepWords.Printable(group.Name)),
                .. new[] { counts.Total, counts.Compulsory, counts.Capacity, counts.Conflict, counts.Invalidation }.Select(count => new Text(SweepWords.Number(count))),
            ]);
        }

        _console.Write(table);
        _console.WriteLine();
    }

    private void WriteWorkingSet()
    {
        if (_result.WorkingSet.Count == 0)
            return;
        Table table = NewTable();
        AddColumn(table, "working set", Justify.Left);
        AddColumn(table, "least");
        AddColumn(table, "most");
        AddColumn(table, "over time", Justify.Left);
        Add("data, 4 KiB pages", sample => sample.DataPages4K);
        Add("code, 4 KiB pages", sample => sample.CodePages4K);
        Add("data, 2 MiB regions", sample => sample.DataPages2M);
        _console.Write(table);
        _console.WriteLine();

        void Add(string name, Func<WorkingSetSample, long> count)
        {
            long[] values = [.. _result.WorkingSet.Select(count)];
            table.AddRow(new Text(name), new Text(SweepWords.Number(values.Min())), new Text(SweepWords.Number(values.Max())), new Text(Spark(values)));
        }
    }

    // The height of each mark is the most of its stretch of time, by the most of all.
    private static string Spark(long[] values)
    {
        long most = Math.Max(1, values.Max());
        int width = Math.Min(SparkWidth, values.Length);
        var spark = new StringBuilder(width);
        for (int index = 0; index < width; index++)
        {
            long value = values[(int)((long)index * values.Length / width)..(int)((index + 1L) * values.Length / width)].Max();
            spark.Append(Sparks[(int)((Sparks.Length - 1) * (double)value / most)]);
        }

        return spark.ToString();
    }

    private static Table NewTable() => new() { Border = TableBorder.None };

    private static void AddColumn(Table table, string name, Justify justify = Justify.Right) =>
        table.AddColumn(new TableColumn(new Text(name, s_dim)) { NoWrap = true, Alignment = justify, Padding = new Padding(0, 0, 2, 0) });

    private static string Optional(long? value) => value is long known ? SweepWords.Number(known) : "-";

    private void Line(string text, Style? style = null) => _console.Write(new Text($" {text}\n", style));
}
