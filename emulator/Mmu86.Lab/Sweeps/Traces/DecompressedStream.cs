namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>What a decompressor makes of a file. Its complaints, of whatever type, become one sentence; those of the file itself stay what they are.</summary>
internal sealed class DecompressedStream : Stream
{
    private readonly CompressionMethod _method;
    private readonly SourceStream _file;
    private Stream _content;

    /// <summary>Begins.</summary>
    /// <param name="method">How the file is compressed.</param>
    /// <param name="file">The file. Owned.</param>
    public DecompressedStream(CompressionMethod method, SourceStream file)
    {
        _method = method;
        _file = file;
        _content = method.Open(file);
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        try
        {
            int read = _content.Read(buffer);
            if (read == 0 && _method.EndsAreSilent && _file.HasMore())
            {
                // Several compressed files in one.
                _content = _method.Open(_file);
                read = _content.Read(buffer);
            }

            // A decompressor that has found its end looks at most whether another one begins behind it.
            return _file.IsOverread || (read > 0 && _file.IsFillerTaken) ? throw new EndOfStreamException() : read;
        }
        catch (Exception exception) when (_file.Failure is null && exception is not OutOfMemoryException)
        {
            throw new TraceException($"the {_method.Name} data is damaged or cut off before byte {_file.BytesRead} of the file", exception);
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _content.Dispose();
            _file.Dispose();
        }

        base.Dispose(disposing);
    }
}
