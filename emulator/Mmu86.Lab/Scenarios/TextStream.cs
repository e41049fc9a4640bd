using System.Text;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>Keeps what a guest writes to its debug console, up to a limit: a guest may write for ever.</summary>
internal sealed class TextStream : Stream
{
    private const int MostBytes = 1 << 16;

    private readonly MemoryStream _bytes = new();

    /// <summary>The bytes so far as text, other bytes than those of ASCII as question marks; null where there are none.</summary>
    public string? Text => _bytes.Length == 0 ? null : Encoding.ASCII.GetString(_bytes.GetBuffer(), 0, (int)_bytes.Length);

    /// <summary>Writes what was kept.</summary>
    public void Save(StateWriter writer) => writer.WriteArray<byte>(_bytes.GetBuffer().AsSpan(0, (int)_bytes.Length));

    /// <summary>Goes on behind it.</summary>
    public void Load(StateReader reader)
    {
        _bytes.SetLength(0);
        _bytes.Write(reader.ReadBytes("debugConsole", MostBytes));
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => _bytes.Write(buffer[..(int)Math.Min(buffer.Length, MostBytes - _bytes.Length)]);

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _bytes.Dispose();
        base.Dispose(disposing);
    }
}
