using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>Takes a guest's output and keeps only its hash.</summary>
internal sealed class HashingStream : Stream
{
    private readonly SavedSha256 _hash = new();

    /// <summary>The hash of everything so far, in lower-case hex.</summary>
    public string Sha256 => Convert.ToHexStringLower(_hash.Current());

    /// <summary>Writes where it stands.</summary>
    public void Save(StateWriter writer) => _hash.Save(writer);

    /// <summary>Goes on from there.</summary>
    public void Load(StateReader reader) => _hash.Load(reader);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => _hash.Append(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => _hash.Append(buffer);

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
