namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>Reads a trace with at most one access a line.</summary>
internal sealed class LineTraceReader : TraceReader
{
    // No access takes more; a longer line is no trace, and would only fill memory.
    private const int LongestLine = 4096;

    private readonly Stream _content;
    private readonly LineParser _parse;
    private readonly byte[] _buffer = new byte[1 << 18];
    private int _start;
    private int _end;
    private bool _isAtEnd;
    private long _line;

    /// <summary>Begins to read.</summary>
    /// <param name="content">The text. Owned.</param>
    /// <param name="parse">Understands a line.</param>
    public LineTraceReader(Stream content, LineParser parse)
    {
        _content = content;
        _parse = parse;
    }

    /// <summary>Understands a line, given without its end.</summary>
    /// <returns>Null where it is an access; empty where it says nothing; else what is wrong with it.</returns>
    internal delegate string? LineParser(ReadOnlySpan<byte> line, out TraceAccess access);

    /// <inheritdoc/>
    public override string Position => $"line {_line}";

    /// <inheritdoc/>
    public override bool TryRead(out TraceAccess access)
    {
        while (TryReadLine(out ReadOnlySpan<byte> line))
        {
            switch (_parse(line, out access))
            {
                case null:
                    return true;
                case "":
                    break;
                case string problem:
                    throw new TraceException($"{Position}: {problem}");
            }
        }

        access = default;
        return false;
    }

    /// <inheritdoc/>
    public override void Dispose() => _content.Dispose();

    private bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        int searched = 0;
        while (true)
        {
            int length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                length += searched;
                line = Checked(_buffer.AsSpan(_start, length));
                _start += length + 1;
                return true;
            }

            searched = _end - _start;
            if (_isAtEnd || searched > LongestLine)
            {
                line = _buffer.AsSpan(_start, searched);
                _start = _end;
                if (searched == 0)
                    return false;
                line = Checked(line);
                return true;
            }

            _buffer.AsSpan(_start, searched).CopyTo(_buffer);
            _start = 0;
            _end = searched;
            int read = _content.Read(_buffer, _end, _buffer.Length - _end);
            _isAtEnd = read == 0;
            _end += read;
        }
    }

    private ReadOnlySpan<byte> Checked(ReadOnlySpan<byte> line)
    {
        _line++;
        if (line.Length > LongestLine)
            throw new TraceException($"{Position}: is longer than {LongestLine} bytes; this is no trace of lines");
        return line is [.. var rest, (byte)'\r'] ? rest : line;
    }
}
