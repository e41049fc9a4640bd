using System.Globalization;

namespace Mmu86.Tests.Cpu;

/// <summary>The tables in <c>tests/data/cpu</c>: columns between bars, comments that begin with #.</summary>
internal static class RuleTable
{
    /// <summary>The lines of a table, as arguments of a theory.</summary>
    public static TheoryRows Read(string name)
    {
        var rows = new TheoryRows();
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "data", "cpu", name)))
        {
            if (line.Length != 0 && line[0] != '#')
                rows.Add(line);
        }

        return rows;
    }

    /// <summary>The columns of a line.</summary>
    public static string[] Columns(string line) => [.. line.Split('|').Select(column => column.Trim())];

    /// <summary>The words of a column.</summary>
    public static string[] Words(string column) => column.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A decimal number, or a hexadecimal one that begins with 0x.</summary>
    public static ulong Number(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : ulong.Parse(text, CultureInfo.InvariantCulture);
}
