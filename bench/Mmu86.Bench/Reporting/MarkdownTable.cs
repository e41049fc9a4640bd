namespace Mmu86.Bench.Reporting;

/// <summary>A table in Markdown, aligned for those who read the source: the first column to the left, numbers to the right.</summary>
/// <param name="headings">One a column.</param>
internal sealed class MarkdownTable(params IReadOnlyList<string> headings)
{
    private readonly List<IReadOnlyList<string>> _rows = [];

    /// <summary>Adds a row: a cell for each heading.</summary>
    public void Add(params IReadOnlyList<string> cells)
    {
        if (cells.Count != headings.Count)
            throw new ArgumentException($"{cells.Count} cells for {headings.Count} headings.", nameof(cells));
        _rows.Add(cells);
    }

    /// <summary>Writes it.</summary>
    public void Write(TextWriter output)
    {
        int[] widths = [.. headings.Select((heading, column) => _rows.Select(row => row[column].Length).Append(heading.Length).Append(3).Max())];
        WriteRow(headings);
        output.WriteLine($"|{string.Join('|', widths.Select((width, column) => column == 0 ? new string('-', width + 2) : new string('-', width + 1) + ":"))}|");
        foreach (IReadOnlyList<string> row in _rows)
            WriteRow(row);

        void WriteRow(IReadOnlyList<string> cells) =>
            output.WriteLine($"| {string.Join(" | ", cells.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column])))} |");
    }
}
