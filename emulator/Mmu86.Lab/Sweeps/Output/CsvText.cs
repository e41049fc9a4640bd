using System.Text;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>Comma-separated values by RFC 4180, with a line feed at the end of each record.</summary>
internal static class CsvText
{
    /// <summary>Appends one record.</summary>
    public static void Append(StringBuilder text, IEnumerable<string> fields)
    {
        bool isFirst = true;
        foreach (string field in fields)
        {
            if (!isFirst)
                text.Append(',');
            isFirst = false;
            if (field.AsSpan().IndexOfAny("\",\r\n") < 0)
                text.Append(field);
            else
                text.Append('"').Append(field.Replace("\"", "\"\"")).Append('"');
        }

        text.Append('\n');
    }

    /// <summary>Reads records. Both ends of lines are understood, and a last line without one.</summary>
    /// <param name="text">The text.</param>
    /// <param name="records">Each with the number of its first line, from 1.</param>
    /// <param name="line">Where the result is false: the line that is wrong.</param>
    /// <param name="problem">Where the result is false: why, in words.</param>
    public static bool TryRead(string text, out List<(int Line, List<string> Fields)> records, out int line, out string problem)
    {
        records = [];
        line = 1;
        problem = "";
        int position = 0;
        while (position < text.Length)
        {
            int first = line;
            List<string> fields = [];
            bool hasMore;
            do
            {
                if (!TryReadField(text, ref position, ref line, out string field, out problem))
                    return false;
                fields.Add(field);
                hasMore = position < text.Length && text[position] == ',';
                position += hasMore ? 1 : 0;
            }
            while (hasMore);
            if (position < text.Length)
            {
                position += text[position] == '\r' ? 2 : 1;
                line++;
            }

            records.Add((first, fields));
        }

        return true;
    }

    // Ends at a comma, at an end of line, or at the end.
    private static bool TryReadField(string text, ref int position, ref int line, out string field, out string problem)
    {
        problem = "";
        if (position >= text.Length || text[position] != '"')
        {
            int start = position;
            while (position < text.Length && text[position] is not ',' && !IsEndOfLine(text, position))
                position++;
            field = text[start..position];
            if (!field.Contains('"'))
                return true;
            problem = "has a quote inside a field that does not begin with one";
            return false;
        }

        int opened = line;
        var quoted = new StringBuilder();
        field = "";
        for (position++; position < text.Length; position++)
        {
            if (text[position] != '"')
            {
                line += text[position] == '\n' ? 1 : 0;
                quoted.Append(text[position]);
            }
            else if (position + 1 < text.Length && text[position + 1] == '"')
            {
                quoted.Append('"');
                position++;
            }
            else
            {
                position++;
                field = quoted.ToString();
                if (position == text.Length || text[position] == ',' || IsEndOfLine(text, position))
                    return true;
                problem = "has text behind a closing quote";
                return false;
            }
        }

        line = opened;
        problem = "has a quote that nothing closes";
        return false;
    }

    private static bool IsEndOfLine(string text, int position) =>
        text[position] == '\n' || (text[position] == '\r' && position + 1 < text.Length && text[position + 1] == '\n');
}
