namespace Mmu86.Cli.CommandLine;

/// <summary>A guest's output on its way to one of ours: byte for byte, in as few writes as a person does not notice.</summary>
internal sealed class GuestStream(Stream target, string name) : Stream
{
    private const int BufferBytes = 1 << 16;

    // Whole lines do not wait longer than this for company.
    private const long PatienceMilliseconds = 50;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _used;
    private long _lastWrite = Environment.TickCount64 - PatienceMilliseconds;

    /// <summary>Called before bytes leave for the target.</summary>
    public Action? Leaving { get; set; }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> bytes)
    {
        bool endsLine = bytes.Contains((byte)'\n');
        while (bytes.Length > 0)
        {
            int part = Math.Min(bytes.Length, BufferBytes - _used);
            bytes[..part].CopyTo(_buffer.AsSpan(_used));
            _used += part;
            bytes = bytes[part..];
            if (_used == BufferBytes)
                Flush();
        }

        if (endsLine && Environment.TickCount64 - _lastWrite >= PatienceMilliseconds)
            Flush();
    }

    /// <inheritdoc/>
    public override void WriteByte(byte value) => Write([value]);

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
        if (_used == 0)
            return;
        Leaving?.Invoke();
        try
        {
            target.Write(_buffer, 0, _used);
            target.Flush();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{name} cannot be written", exception);
        }
        finally
        {
            // What could not be written once is not tried again while everything is taken down.
            _used = 0;
        }

        _lastWrite = Environment.TickCount64;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
