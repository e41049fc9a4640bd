using System.IO.Compression;
using System.Security.Cryptography;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>Recognises how a file is compressed, and decompresses it as it is read.</summary>
internal static class Decompression
{
    /// <summary>How many bytes of a file are looked at: more than any method needs to give the first byte.</summary>
    public const int HeadBytes = 1 << 18;

    private static ReadOnlySpan<byte> Gzip => [0x1F, 0x8B, 8];

    private static ReadOnlySpan<byte> Xz => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    private static ReadOnlySpan<byte> Zstandard => [0x28, 0xB5, 0x2F, 0xFD];

    /// <summary>Puts a decompressor in front of a file where it is compressed.</summary>
    /// <param name="file">The file from its beginning.</param>
    /// <param name="alreadyRead">What was read of it already; the file goes on behind it. Empty where nothing was.</param>
    /// <param name="hash">Gets every byte of the file; null for nobody.</param>
    /// <param name="method">How it is compressed; null for not.</param>
    public static Stream Open(Stream file, ReadOnlyMemory<byte> alreadyRead, IncrementalHash? hash, CompressionMethod? method)
    {
        var source = new SourceStream(file, alreadyRead, hash) { HasFiller = method is { MissesCuts: true } };
        return method is null ? source : new DecompressedStream(method, source);
    }

    /// <summary>How a file is compressed.</summary>
    /// <param name="head">Its beginning.</param>
    /// <param name="name">Its name: Brotli has no magic number, so <c>.br</c> says it.</param>
    /// <returns>Null where it is not.</returns>
    public static CompressionMethod? Recognise(ReadOnlySpan<byte> head, string name)
    {
        if (head.StartsWith(Gzip))
            return new CompressionMethod("gzip", file => new GZipStream(file, CompressionMode.Decompress)) { MissesCuts = true };
        if (head.StartsWith(Xz))
            return new CompressionMethod("xz", file => new SharpCompress.Compressors.Xz.XZStream(file)) { EndsAreSilent = true };
        if (head.StartsWith(Zstandard))
            return new CompressionMethod("zstd", file => new ZstdSharp.DecompressionStream(file));
        if (IsZlib(head))
            return new CompressionMethod("zlib", file => new ZLibStream(file, CompressionMode.Decompress)) { MissesCuts = true };
        return name.EndsWith(".br", StringComparison.OrdinalIgnoreCase)
            ? new CompressionMethod("brotli", file => new BrotliStream(file, CompressionMode.Decompress)) { MissesCuts = true }
            : null;
    }

    /// <summary>The beginning of the content, as far as the beginning of the file has it.</summary>
    public static byte[] Head(byte[] head, CompressionMethod? method)
    {
        var content = new MemoryStream();
        using Stream stream = Open(new MemoryStream(head), default, hash: null, method);
        byte[] part = new byte[1024];
        try
        {
            while (content.Length < TraceRecognition.HeadBytes && stream.Read(part) is > 0 and int read)
                content.Write(part, 0, read);
        }
        catch (TraceException)
        {
            // The head ends where it ends. Whoever reads the whole is told where it is damaged.
        }

        return content.ToArray();
    }

    // Two bytes are little to go by, and a record may begin with them: so its beginning must decompress too.
    private static bool IsZlib(ReadOnlySpan<byte> head)
    {
        if (head is not [0x78, 0x01 or 0x5E or 0x9C or 0xDA, ..])
            return false;
        try
        {
            using var stream = new ZLibStream(new MemoryStream(head.ToArray()), CompressionMode.Decompress);
            return stream.Read(new byte[1]) == 1;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
