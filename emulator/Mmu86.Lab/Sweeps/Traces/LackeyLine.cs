using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>A line of Valgrind's lackey: <c>I  04010173,3</c>, <c> L 1fff000558,8</c>, <c> S</c> or <c> M</c> for a load, store or both; address hexadecimal,
/// size decimal. What Valgrind says otherwise begins with the process between signs: <c>==4611==</c>, <c>--4611--</c>, <c>**4611**</c>.</summary>
internal static class LackeyLine
{
    /// <inheritdoc cref="LineTraceReader.LineParser"/>
    public static string? Parse(ReadOnlySpan<byte> line, out TraceAccess access)
    {
        access = default;
        ReadOnlySpan<byte> rest = line.Trim((byte)' ');
        if (rest.IsEmpty || IsValgrinds(rest))
            return "";
        AccessKind kind;
        switch (rest[0])
        {
            case (byte)'I':
                kind = AccessKind.Fetch;
                break;
            case (byte)'L':
                kind = AccessKind.Read;
                break;
            case (byte)'S' or (byte)'M':
                kind = AccessKind.Write;
                break;
            default:
                return Problem(line);
        }

        rest = rest[1..];
        int comma = rest.IndexOf((byte)',');
        if (comma < 0 || rest[0] != ' '
            || !LineWords.TryParseHex(rest[..comma].Trim((byte)' '), out ulong address)
            || !LineWords.TryParseDecimal(rest[(comma + 1)..].Trim((byte)' '), out ulong size))
        {
            return Problem(line);
        }

        if (LineWords.SizeProblem(size) is string problem)
            return problem;
        access = new TraceAccess(kind, address, (int)size);
        return null;
    }

    /// <summary>Whether a line is Valgrind's own.</summary>
    public static bool IsValgrinds(ReadOnlySpan<byte> line)
    {
        if (line.Length < 5 || line[0] != line[1] || line[0] is not ((byte)'=' or (byte)'-' or (byte)'*'))
            return false;
        int digits = line[2..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return digits > 0 && line[(2 + digits)..] is [var a, var b, ..] && a == line[0] && b == line[0];
    }

    private static string Problem(ReadOnlySpan<byte> line) =>
        $"{LineWords.Quote(line)} is no line of lackey's; Valgrind's --log-file keeps the program's own output out of the trace";
}
