using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>The rows of sweep results as CSV: a header, then one line a row. What is unknown is empty.</summary>
public static class SweepCsv
{
    /// <summary>The columns, in their order. Later ones may follow.</summary>
    public static IReadOnlyList<string> Columns { get; } =
    [
        "structure", "pageSize", "sets", "ways", "replacement", "hash", "lookups", "misses", "missRatio", "mpki", "walkReferences", "walkCycles",
        "paging", "settings", "walks",
    ];

    /// <summary>The rows of a result.</summary>
    public static string Write(SweepResult result)
    {
        var text = new StringBuilder();
        CsvText.Append(text, Columns);
        foreach (SweepRow row in result.Rows)
        {
            CsvText.Append(text,
            [
                row.Structure, row.PageSize ?? "", Number(row.Sets), Number(row.Ways), row.Replacement ?? "", row.Hash ?? "",
                Number(row.Lookups), Number(row.Misses), SweepRules.Number(row.MissRatio), SweepRules.Number(row.Mpki),
                Number(row.WalkReferences), Number(row.WalkCycles), row.Paging, row.Settings ?? "", Number(row.Walks),
            ]);
        }

        return text.ToString();
    }

    /// <summary>Reads rows and checks them.</summary>
    /// <param name="csv">UTF-8.</param>
    /// <param name="errors">Everything that is wrong, each with its line and column; empty where the result is not null.</param>
    /// <returns>Null where anything is wrong.</returns>
    public static IReadOnlyList<SweepRow>? Read(ReadOnlySpan<byte> csv, out IReadOnlyList<ConfigurationError> errors)
    {
        if (csv.StartsWith(Encoding.UTF8.Preamble))
            csv = csv[Encoding.UTF8.Preamble.Length..];
        List<ConfigurationError> found = [];
        errors = found;
        if (!Utf8.IsValid(csv))
            found.Add(new ConfigurationError("", "is not UTF-8"));
        else if (!CsvText.TryRead(Encoding.UTF8.GetString(csv), out List<(int Line, List<string> Fields)> records, out int line, out string problem))
            found.Add(new ConfigurationError($"line {line}", problem));
        else if (HasHeader(records, found))
            return Read(records, found);
        return null;
    }

    /// <summary>Reads a file.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="ConfigurationException">It cannot be read or is wrong; carries every error.</exception>
    public static IReadOnlyList<SweepRow> ReadFile(string path)
    {
        string what = $"sweep table {path}";
        byte[] bytes = BoundedFile.Read(path, SweepJson.MaximumBytes, out string problem)
            ?? throw new ConfigurationException(what, ConfigurationOrigin.File, [new("", problem)]);
        return Read(bytes, out IReadOnlyList<ConfigurationError> errors) ?? throw new ConfigurationException(what, ConfigurationOrigin.File, errors);
    }

    private static bool HasHeader(List<(int Line, List<string> Fields)> records, List<ConfigurationError> errors)
    {
        if (records.Count == 0)
        {
            errors.Add(new ConfigurationError("", "is empty: the header is missing"));
            return false;
        }

        List<string> header = records[0].Fields;
        for (int index = 0; index < Math.Max(header.Count, Columns.Count); index++)
        {
            if (index >= header.Count)
                errors.Add(new ConfigurationError("line 1", $"column {Columns[index]} is missing"));
            else if (index >= Columns.Count)
                errors.Add(new ConfigurationError("line 1", $"unknown column '{header[index]}'"));
            else if (header[index] != Columns[index])
                errors.Add(new ConfigurationError("line 1", $"column {index + 1} must be {Columns[index]}, not '{header[index]}'"));
            if (errors.Count > 0)
                return false; // One column too few makes all that follow wrong.
        }

        return true;
    }

    private static List<SweepRow>? Read(List<(int Line, List<string> Fields)> records, List<ConfigurationError> errors)
    {
        List<SweepRow> rows = [];
        foreach ((int line, List<string> fields) in records.Skip(1))
        {
            if (fields.Count != Columns.Count)
            {
                errors.Add(new ConfigurationError($"line {line}", $"has {fields.Count} fields, not {Columns.Count}"));
                continue;
            }

            int before = errors.Count;
            SweepRow row = new Fields(line, fields, errors).ToRow();
            if (errors.Count == before)
                errors.AddRange(SweepRules.Check(row).Select(error => error with { Path = $"line {line}, column {error.Path}" }));
            rows.Add(row);
        }

        return errors.Count == 0 ? rows : null;
    }

    private static string Number(long? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";

    private sealed class Fields(int line, List<string> fields, List<ConfigurationError> errors)
    {
        private readonly int _errorsBefore = errors.Count;
        private int _next;

        public SweepRow ToRow()
        {
            string structure = Text() ?? "";
            string? pageSize = Text();
            int? sets = Small();
            int? ways = Small();
            string? replacement = Text();
            string? hash = Text();
            long lookups = Required(Integer());
            long misses = Required(Integer());
            double missRatio = Real();
            var row = new SweepRow
            {
                Structure = structure,
                PageSize = pageSize,
                Sets = sets,
                Ways = ways,
                Replacement = replacement,
                Hash = hash,
                Lookups = lookups,
                Misses = misses,
                Mpki = Real(),
                WalkReferences = Required(Integer()),
                WalkCycles = Integer(),
                Paging = Text() ?? "",
                Settings = Text(),
                Walks = Integer(),
            };
            // Nothing more is said of a row whose counts could not be read.
            if (errors.Count == _errorsBefore && missRatio != row.MissRatio)
                Refuse("missRatio", $"is {SweepRules.Number(missRatio)}, but misses by lookups are {SweepRules.Number(row.MissRatio)}");
            return row;
        }

        private string? Text() => fields[_next++] is { Length: > 0 } text ? text : null;

        private long? Integer()
        {
            if (Text() is not string text)
                return null;
            if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
                return value;
            Refuse(Columns[_next - 1], $"must be an integer, not '{text}'");
            return 0;
        }

        private int? Small()
        {
            long? value = Integer();
            if (value is null or (>= int.MinValue and <= int.MaxValue))
                return (int?)value;
            Refuse(Columns[_next - 1], $"must be an integer of at most {int.MaxValue}, not {value}");
            return 0;
        }

        private double Real()
        {
            string text = Text() ?? "";
            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value))
                return value;
            Refuse(Columns[_next - 1], text.Length == 0 ? "is missing" : $"must be a number, not '{text}'");
            return double.NaN;
        }

        private long Required(long? value)
        {
            if (value is null)
                Refuse(Columns[_next - 1], "is missing");
            return value ?? 0;
        }

        private void Refuse(string column, string message) => errors.Add(new ConfigurationError($"line {line}, column {column}", message));
    }
}
