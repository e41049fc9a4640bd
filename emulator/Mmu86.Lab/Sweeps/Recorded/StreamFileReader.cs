using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Reads a file with a translation stream. Whatever is wrong with it is told with the byte of the section that is wrong.</summary>
internal sealed class StreamFileReader : IDisposable
{
    private readonly Stream _content;
    private readonly ChunkDecoder _decoder = new();
    private byte[] _section = [];
    private byte[] _payload = [];
    private long _next;
    private long _chunks;

    /// <summary>Reads the beginning.</summary>
    /// <param name="content">The file. Owned.</param>
    /// <exception cref="TraceException">It is no such file, one of another version, or damaged.</exception>
    public StreamFileReader(Stream content)
    {
        _content = content;
        try
        {
            Span<byte> start = stackalloc byte[StreamFile.Magic.Length + sizeof(uint)];
            int read = content.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            int magic = Math.Min(read, StreamFile.Magic.Length);
            if (!start[..magic].SequenceEqual(StreamFile.Magic[..magic]))
                throw new TraceException("is no recorded translation stream");
            if (read < start.Length)
                throw CutOff("its beginning");
            uint version = BinaryPrimitives.ReadUInt32LittleEndian(start[StreamFile.Magic.Length..]);
            if (version != StreamFile.Version)
                throw new TraceException($"is a translation stream of version {version}; this Mmu86 reads version {StreamFile.Version}");
            _next = start.Length;
            if (ReadSection(out ReadOnlySpan<byte> header) != StreamSection.Header)
                throw Damaged("is not its header");
            Header = Document(header, StreamFileJsonContext.Default.StreamFileHeader, "header");
            CheckHeader();
        }
        catch
        {
            content.Dispose();
            throw;
        }
    }

    /// <summary>What was recorded.</summary>
    public StreamFileHeader Header { get; }

    /// <summary>How it ended; null before <see cref="TryRead"/> has said that.</summary>
    public StreamFileEnd? End { get; private set; }

    // Where the section read last begins.
    private long Position { get; set; }

    /// <summary>Reads the next chunk.</summary>
    /// <param name="chunk">Gets it; empty.</param>
    /// <returns>False at the end.</returns>
    /// <exception cref="TraceException">The file is damaged or cut off.</exception>
    public bool TryRead(StreamChunk chunk)
    {
        switch (ReadSection(out ReadOnlySpan<byte> content))
        {
            case StreamSection.Chunk:
                Decode(content, chunk);
                _chunks++;
                return true;
            case StreamSection.End:
                End = Document(content, StreamFileJsonContext.Default.StreamFileEnd, "end");
                if (End.Chunks != _chunks)
                    throw Damaged($"ends a file of {End.Chunks} chunks, of which there are {_chunks}");
                if (_content.Read(new byte[1]) != 0)
                    throw Damaged("is the end, but more follows");
                return false;
            case StreamSection.Header:
            default:
                throw Damaged("is of no known kind");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _content.Dispose();

    private void Decode(ReadOnlySpan<byte> content, StreamChunk chunk)
    {
        if (content.Length < sizeof(uint))
            throw Damaged("is a chunk without content");
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(content);
        if (length > StreamFile.LargestPayload)
            throw Damaged($"is a chunk of {length} bytes");
        if (_payload.Length == 0)
            _payload = new byte[StreamFile.LargestPayload];
        if (!BrotliDecoder.TryDecompress(content[sizeof(uint)..], _payload, out int written) || written != length)
            throw Damaged("is a chunk that does not decompress");
        try
        {
            _decoder.Decode(_payload.AsSpan(0, written), chunk);
        }
        catch (TranslationStreamException exception)
        {
            throw Damaged($"is a chunk in which {exception.Message}");
        }
    }

    private StreamSection ReadSection(out ReadOnlySpan<byte> content)
    {
        Position = _next;
        Span<byte> start = stackalloc byte[StreamFile.SectionBytes];
        Fill(start, "the next section");
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(start[1..]);
        if (length > StreamFile.LargestDocument)
            throw Damaged($"says that it has {length} bytes");
        int total = (int)length + StreamFile.ChecksumBytes;
        if (_section.Length < total)
            _section = new byte[Math.Max(total, 1 << 16)];
        Fill(_section.AsSpan(0, total), "the next section");
        _next += StreamFile.SectionBytes + total;
        content = _section.AsSpan(0, (int)length);
        var checksum = new Crc32();
        checksum.Append(start);
        checksum.Append(content);
        if (checksum.GetCurrentHashAsUInt32() != BinaryPrimitives.ReadUInt32LittleEndian(_section.AsSpan((int)length)))
            throw Damaged("does not have its checksum");
        return (StreamSection)start[0];
    }

    private void Fill(Span<byte> bytes, string what)
    {
        int read = _content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (read < bytes.Length)
            throw CutOff(what);
    }

    private TraceException CutOff(string what) => new($"ends within {what}, which begins at byte {Position}: the recording was cut off");

    private T Document<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type, string what)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException();
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException or InvalidOperationException)
        {
            throw Damaged($"is no {what}");
        }
    }

    // A header with a right checksum may still be somebody's own.
    private void CheckHeader()
    {
        List<ConfigurationError> errors = [.. MachineRules.Check(Header.Machine)];
        if (errors.Count > 0)
            throw Damaged($"is a header with an impossible machine: {errors[0].Path} {errors[0].Message}");
        bool isMemory = IsMemory(Header.MemoryBytes) && (Header.HostMemoryBytes is not ulong host || IsMemory(host));
        if (!isMemory || Header.GuestPage > PageSize.Size1G || Header.HostPage > PageSize.Size1G)
            throw Damaged("is a header with impossible memory or pages");
    }

    private static bool IsMemory(ulong bytes) => bytes is >= RunOptions.MinimumMemoryBytes and <= RunOptions.MaximumMemoryBytes && bytes % 4096 == 0;

    private TraceException Damaged(string what) => new($"the section at byte {Position} {what}: the file is damaged");
}
