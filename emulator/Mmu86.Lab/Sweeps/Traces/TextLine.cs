using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>A line <c>kind address size</c>: words between blanks or commas, addresses decimal or 0x hex; <c>#</c> begins a comment.</summary>
internal static class TextLine
{
    /// <summary>The words for kinds, for messages.</summary>
    public const string Kinds = "r, w, x, m, read, write, fetch, modify, load, store";

    /// <inheritdoc cref="LineTraceReader.LineParser"/>
    public static string? Parse(ReadOnlySpan<byte> line, out TraceAccess access)
    {
        access = default;
        int comment = line.IndexOf((byte)'#');
        ReadOnlySpan<byte> rest = comment < 0 ? line : line[..comment];
        ReadOnlySpan<byte> word = LineWords.Take(ref rest);
        if (word.IsEmpty)
            return "";
        if (KindOf(word) is not AccessKind kind)
            return $"{LineWords.Quote(word)} is no kind of access ({Kinds})";
        word = LineWords.Take(ref rest);
        if (word.IsEmpty)
            return "the address is missing: a line is 'kind address size'";
        if (!TryParse(word, out ulong address))
            return $"{LineWords.Quote(word)} is no address from 0 to 2^64-1; hexadecimal ones begin with 0x";
        word = LineWords.Take(ref rest);
        if (word.IsEmpty)
            return "the size is missing: a line is 'kind address size'";
        if (!TryParse(word, out ulong size))
            return $"{LineWords.Quote(word)} is no size in bytes";
        if (LineWords.SizeProblem(size) is string problem)
            return problem;
        word = LineWords.Take(ref rest);
        if (!word.IsEmpty)
            return $"{LineWords.Quote(word)} is one word too many: a line is 'kind address size'";
        access = new TraceAccess(kind, address, (int)size);
        return null;
    }

    private static bool TryParse(ReadOnlySpan<byte> word, out ulong value) =>
        word is [(byte)'0', (byte)'x' or (byte)'X', .. var digits] ? LineWords.TryParseHex(digits, out value) : LineWords.TryParseDecimal(word, out value);

    private static AccessKind? KindOf(ReadOnlySpan<byte> word)
    {
        Span<byte> lower = stackalloc byte[16];
        if (word.Length > lower.Length)
            return null;
        System.Text.Ascii.ToLower(word, lower, out int length);
        lower = lower[..length];
        if (lower.SequenceEqual("r"u8) || lower.SequenceEqual("l"u8) || lower.SequenceEqual("read"u8) || lower.SequenceEqual("load"u8))
            return AccessKind.Read;
        if (lower.SequenceEqual("w"u8) || lower.SequenceEqual("s"u8) || lower.SequenceEqual("write"u8) || lower.SequenceEqual("store"u8)
            || lower.SequenceEqual("m"u8) || lower.SequenceEqual("rw"u8) || lower.SequenceEqual("modify"u8))
        {
            return AccessKind.Write;
        }

        return lower.SequenceEqual("x"u8) || lower.SequenceEqual("i"u8) || lower.SequenceEqual("f"u8) || lower.SequenceEqual("fetch"u8)
            || lower.SequenceEqual("ifetch"u8) || lower.SequenceEqual("execute"u8) || lower.SequenceEqual("instruction"u8)
            ? AccessKind.Fetch
            : null;
    }
}
