namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>Reads the accesses of a trace, in order, without ever holding all of it.</summary>
public abstract class TraceReader : IDisposable
{
    /// <summary>Where the access read last stands, for a message: <c>line 17</c> or <c>byte 1024</c>, counted in what decompression gives.</summary>
    public abstract string Position { get; }

    /// <summary>Reads the next access.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="TraceException">The trace is damaged, cut off, or of another format.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public abstract bool TryRead(out TraceAccess access);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Makes the reader of a format.</summary>
    /// <param name="format">A format of accesses.</param>
    /// <param name="content">The trace, decompressed; disposed with the reader.</param>
    internal static TraceReader Of(TraceFormat format, Stream content) => format switch
    {
        TraceFormat.Lackey => new LineTraceReader(content, LackeyLine.Parse),
        TraceFormat.Text => new LineTraceReader(content, TextLine.Parse),
        TraceFormat.ChampSim => new ChampSimTraceReader(content),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
