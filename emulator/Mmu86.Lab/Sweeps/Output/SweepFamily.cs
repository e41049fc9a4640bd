namespace Mmu86.Lab.Sweeps.Output;

/// <summary>Rows of a sweep that belong into one picture.</summary>
public sealed class SweepFamily
{
    private readonly Dictionary<(int Sets, int Ways), SweepRow> _cells = [];

    private SweepFamily(string title, SweepShape shape, IReadOnlyList<SweepRow> rows)
    {
        Title = title;
        Shape = shape;
        Rows = rows;
        if (shape == SweepShape.List)
            return;
        Sets = [.. rows.Select(row => row.Sets!.Value).Distinct().Order()];
        Ways = [.. rows.Select(row => row.Ways!.Value).Distinct().Order()];
        foreach (SweepRow row in rows)
            _cells.Add((row.Sets!.Value, row.Ways!.Value), row);
    }

    /// <summary>What all rows have in common, in words.</summary>
    public string Title { get; }

    /// <summary>How to show them.</summary>
    public SweepShape Shape { get; }

    /// <summary>The rows in the grid's order.</summary>
    public IReadOnlyList<SweepRow> Rows { get; }

    /// <summary>The numbers of sets, ascending. Empty for a list.</summary>
    public IReadOnlyList<int> Sets { get; } = [];

    /// <summary>The numbers of ways, ascending. Empty for a list.</summary>
    public IReadOnlyList<int> Ways { get; } = [];

    /// <summary>The row of a geometry; null where the grid has none.</summary>
    public SweepRow? At(int sets, int ways) => _cells.GetValueOrDefault((sets, ways));

    /// <summary>Divides the rows of a result, in the order in which families begin.</summary>
    public static IReadOnlyList<SweepFamily> Of(SweepResult result)
    {
        List<SweepFamily> families = [];
        var lists = new OrderedDictionary<(string, string?), List<SweepRow>>();
        foreach (IGrouping<object, SweepRow> group in result.Rows.GroupBy(CommonOfOneArray))
        {
            SweepRow[] rows = [.. group];
            if (ShapeOf(rows) is var shape and not SweepShape.List)
            {
                families.Add(new SweepFamily(SweepWords.ArrayFamily(rows[0]), shape, rows));
                continue;
            }

            (string, string?) key = (rows[0].Structure, rows[0].PageSize);
            if (!lists.TryGetValue(key, out List<SweepRow>? list))
                lists.Add(key, list = []);
            list.AddRange(rows);
        }

        families.AddRange(lists.Values.Select(rows => new SweepFamily(SweepWords.Structure(rows[0]), SweepShape.List, rows)));
        return families;
    }

    private static object CommonOfOneArray(SweepRow row) => row.Entries is null
        ? (row.Structure, row.PageSize)
        : (row.Structure, row.PageSize, row.Replacement, row.Hash, row.Paging);

    private static SweepShape ShapeOf(SweepRow[] rows)
    {
        if (rows.Any(row => row.Entries is null))
            return SweepShape.List;
        int geometries = rows.Select(row => (row.Sets, row.Ways)).Distinct().Count();
        if (geometries < rows.Length || geometries < 2)
            return SweepShape.List;
        int sets = rows.Select(row => row.Sets).Distinct().Count();
        int ways = rows.Select(row => row.Ways).Distinct().Count();
        // A matrix that is mostly holes shows less than a curve.
        return sets > 1 && ways > 1 && 2 * rows.Length >= sets * ways ? SweepShape.Matrix : SweepShape.Curve;
    }
}
