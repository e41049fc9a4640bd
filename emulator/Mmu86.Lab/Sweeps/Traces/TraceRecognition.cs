namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>Tells a trace's format by its beginning.</summary>
internal static class TraceRecognition
{
    /// <summary>How many bytes of a trace are looked at.</summary>
    public const int HeadBytes = 1 << 14;

    /// <summary>Recognises.</summary>
    /// <param name="head">The beginning of the trace, decompressed.</param>
    public static TraceFormat Recognise(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith(Recorded.StreamFile.Magic))
            return TraceFormat.Mmu86;
        foreach (byte one in head[..Math.Min(head.Length, ChampSimTraceReader.RecordBytes)])
        {
            if (one < 0x20 && one is not ((byte)'\n' or (byte)'\r' or (byte)'\t'))
                return TraceFormat.ChampSim;
        }

        while (!head.IsEmpty)
        {
            int end = head.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = (end < 0 ? head : head[..end]).TrimEnd((byte)'\r');
            head = end < 0 ? [] : head[(end + 1)..];
            if (LackeyLine.IsValgrinds(line) || (LackeyLine.Parse(line, out _) is null && line.Contains((byte)',')))
                return TraceFormat.Lackey;
            if (TextLine.Parse(line, out _) != "")
                return TraceFormat.Text;
        }

        return TraceFormat.Text;
    }
}
