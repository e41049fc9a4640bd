using System.Globalization;
using System.Text;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>What both formats of lines read alike.</summary>
internal static class LineWords
{
    private const int LongestQuote = 40;

    /// <summary>Takes the next word off a line: up to a blank or comma.</summary>
    /// <returns>Empty where there is none.</returns>
    public static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> line)
    {
        int start = line.IndexOfAnyExcept((byte)' ', (byte)'\t', (byte)',');
        if (start < 0)
        {
            line = [];
            return [];
        }

        line = line[start..];
        int length = line.IndexOfAny((byte)' ', (byte)'\t', (byte)',');
        ReadOnlySpan<byte> word = length < 0 ? line : line[..length];
        line = line[word.Length..];
        return word;
    }

    /// <summary>A hexadecimal number without prefix.</summary>
    public static bool TryParseHex(ReadOnlySpan<byte> word, out ulong value) =>
        ulong.TryParse(word, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    /// <summary>A decimal number without sign.</summary>
    public static bool TryParseDecimal(ReadOnlySpan<byte> word, out ulong value) =>
        ulong.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    /// <summary>Says why a size is refused.</summary>
    /// <returns>Null where it is not.</returns>
    public static string? SizeProblem(ulong size) =>
        size is 0 or > TraceAccess.LargestSize ? $"an access has 1 to {TraceAccess.LargestSize} bytes, not {size}" : null;

    /// <summary>A line as it may be shown: short, and nothing that a terminal would obey.</summary>
    public static string Quote(ReadOnlySpan<byte> line)
    {
        var text = new StringBuilder("'");
        foreach (byte one in line[..Math.Min(line.Length, LongestQuote)])
            text.Append(one is >= 0x20 and < 0x7F ? (char)one : '?');
        return text.Append(line.Length > LongestQuote ? "...'" : "'").ToString();
    }
}
