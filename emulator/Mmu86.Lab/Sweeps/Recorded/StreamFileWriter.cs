using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Writes a translation stream to a file (docs/reference/translation-stream.md).</summary>
internal sealed class StreamFileWriter
{
    // Of Brotli: the fastest; what remains to be found after the guesses is not worth more.
    private const int Quality = 1;
    private const int WindowBits = 20;

    private readonly WriteBytes _write;
    private readonly ChunkEncoder _encoder = new();
    private readonly byte[] _compressed = new byte[BrotliEncoder.GetMaxCompressedLength(StreamFile.LargestPayload) + sizeof(uint)];

    /// <summary>Writes the beginning.</summary>
    public StreamFileWriter(WriteBytes write, StreamFileHeader header)
    {
        _write = write;
        Span<byte> start = stackalloc byte[StreamFile.Magic.Length + sizeof(uint)];
        StreamFile.Magic.CopyTo(start);
        BinaryPrimitives.WriteUInt32LittleEndian(start[StreamFile.Magic.Length..], StreamFile.Version);
        write(start);
        Document(StreamSection.Header, header, StreamFileJsonContext.Default.StreamFileHeader);
    }

    /// <summary>Chunks written so far.</summary>
    public long Chunks { get; private set; }

    /// <summary>Writes a chunk.</summary>
    public void Write(StreamChunk chunk)
    {
        ReadOnlySpan<byte> payload = _encoder.Encode(chunk);
        BinaryPrimitives.WriteUInt32LittleEndian(_compressed, (uint)payload.Length);
        if (!BrotliEncoder.TryCompress(payload, _compressed.AsSpan(sizeof(uint)), out int length, Quality, WindowBits))
            throw new System.Diagnostics.UnreachableException();
        Section(StreamSection.Chunk, _compressed.AsSpan(0, sizeof(uint) + length));
        Chunks++;
    }

    /// <summary>Writes the end.</summary>
    public void Complete(StreamFileEnd end) => Document(StreamSection.End, end, StreamFileJsonContext.Default.StreamFileEnd);

    private void Document<T>(StreamSection section, T value, JsonTypeInfo<T> type) => Section(section, JsonSerializer.SerializeToUtf8Bytes(value, type));

    private void Section(StreamSection section, ReadOnlySpan<byte> content)
    {
        Span<byte> start = stackalloc byte[StreamFile.SectionBytes];
        start[0] = (byte)section;
        BinaryPrimitives.WriteUInt32LittleEndian(start[1..], (uint)content.Length);
        var checksum = new Crc32();
        checksum.Append(start);
        checksum.Append(content);
        _write(start);
        _write(content);
        Span<byte> sum = stackalloc byte[StreamFile.ChecksumBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(sum, checksum.GetCurrentHashAsUInt32());
        _write(sum);
    }
}
