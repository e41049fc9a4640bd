namespace Mmu86.Paging;

/// <summary>A piece of a translation stream. Operations do not cross from one to the next.</summary>
public sealed class StreamChunk
{
    /// <summary>The most words.</summary>
    public const int Capacity = 1 << 16;

    // Operations longer than this leave.
    internal const int Room = 600;

    /// <summary>The words, of which <see cref="Count"/> are used.</summary>
    public ulong[] Words { get; } = new ulong[Capacity];

    /// <summary>How many words are used.</summary>
    public int Count { get; set; }
}
