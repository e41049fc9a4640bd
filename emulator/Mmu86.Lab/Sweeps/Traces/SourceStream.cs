using System.Security.Cryptography;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>The bytes of a file from its beginning, of which some were read already; knows how far it is, and whether reading failed.</summary>
/// <param name="file">The rest of the file. Owned.</param>
/// <param name="head">What was read already.</param>
/// <param name="hash">Gets every byte; null for nobody.</param>
internal sealed class SourceStream(Stream file, ReadOnlyMemory<byte> head, IncrementalHash? hash) : Stream
{
    private ReadOnlyMemory<byte> _head = head;
    private bool _isAtEnd;

    /// <summary>Bytes read so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>What the file said; null while it said nothing.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Whether, behind the last byte, one more is given that means nothing: who takes it had not found the end of what he reads.</summary>
    public bool HasFiller { get; init; }

    /// <summary>Whether that byte was taken.</summary>
    public bool IsFillerTaken { get; private set; }

    /// <summary>Whether more was wanted even behind that byte.</summary>
    public bool IsOverread { get; private set; }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <summary><see cref="BytesRead"/>.</summary>
    public override long Position
    {
        get => BytesRead;
        set => throw new NotSupportedException();
    }

    /// <summary>Whether there is another byte.</summary>
    public bool HasMore()
    {
        if (_head.IsEmpty && !_isAtEnd)
        {
            byte[] next = new byte[1];
            _head = next.AsMemory(0, ReadFile(next));
        }

        return !_head.IsEmpty;
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty)
            return 0;
        int read = Math.Min(_head.Length, buffer.Length);
        _head.Span[..read].CopyTo(buffer);
        _head = _head[read..];
        if (read == 0)
            read = ReadFile(buffer);
        if (read == 0 && HasFiller)
        {
            IsOverread = IsFillerTaken;
            if (IsOverread)
                return 0;
            IsFillerTaken = true;
            buffer[0] = 0xFF;
            return 1;
        }

        hash?.AppendData(buffer[..read]);
        BytesRead += read;
        return read;
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

    private int ReadFile(Span<byte> buffer)
    {
        try
        {
            int read = _isAtEnd ? 0 : file.Read(buffer);
            _isAtEnd = read == 0;
            return read;
        }
        catch (Exception exception)
        {
            Failure = exception;
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            file.Dispose();
        base.Dispose(disposing);
    }
}
