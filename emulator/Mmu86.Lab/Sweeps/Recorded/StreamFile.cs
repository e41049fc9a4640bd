using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>The constants of files with a recorded translation stream (docs/reference/translation-stream.md).</summary>
internal static class StreamFile
{
    /// <summary>The version that is written, and the only one that is read.</summary>
    public const uint Version = 2;

    /// <summary>The most bytes of a header or an end.</summary>
    public const int LargestDocument = 1 << 24;

    /// <summary>The most bytes of a chunk before compression: no operation takes more than twice its words.</summary>
    public const int LargestPayload = StreamChunk.Capacity * sizeof(ulong) * 2;

    /// <summary>The bytes of a section's beginning: its kind and its length.</summary>
    public const int SectionBytes = 5;

    /// <summary>The bytes of a checksum, CRC-32 of everything from the section's kind on.</summary>
    public const int ChecksumBytes = 4;

    /// <summary>What a file begins with.</summary>
    public static ReadOnlySpan<byte> Magic => "MMU86TS\0"u8;
}

/// <summary>The kinds of sections.</summary>
internal enum StreamSection : byte
{
    /// <summary>What was recorded: JSON.</summary>
    Header = 1,

    /// <summary>A chunk of the stream.</summary>
    Chunk = 2,

    /// <summary>How it ended: JSON. Nothing follows.</summary>
    End = 3,
}
