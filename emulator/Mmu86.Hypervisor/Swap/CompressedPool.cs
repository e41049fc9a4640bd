using System.Diagnostics;
using System.IO.Compression;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Compressed pages in memory.</summary>
/// <remarks>
/// Brotli at its second-lowest quality: the encoder is plain C without a variant for this or that processor, so the sizes, and with them what is written back
/// when, are the same everywhere. Deflate takes half the time but promises no such thing.
/// </remarks>
internal sealed class CompressedPool
{
    /// <summary>What does not shrink to this many bytes is not kept: it would gain too little.</summary>
    public const int MostBytesOfPage = SwapSlot.SizeInBytes * 3 / 4;

    private const int Quality = 1;
    private const int WindowBits = 12;

    private readonly SlotQueue<byte[]> _pages = new();
    private readonly byte[] _buffer = new byte[MostBytesOfPage];

    /// <summary>Compressed bytes kept.</summary>
    public ulong Bytes { get; private set; }

    /// <summary>Pages kept.</summary>
    public int Pages => _pages.Count;

    /// <summary>The slot that has been kept longest. There must be one.</summary>
    public uint Oldest => _pages.Oldest;

    /// <summary>Compresses a page and keeps it.</summary>
    /// <param name="slot">Its slot, of which nothing is kept.</param>
    /// <param name="page">The page.</param>
    /// <param name="bytes">What it takes.</param>
    /// <returns>False where it does not shrink enough.</returns>
    public bool TryAdd(uint slot, ReadOnlySpan<byte> page, out int bytes)
    {
        if (!BrotliEncoder.TryCompress(page, _buffer, out bytes, Quality, WindowBits))
            return false;
        _pages.Add(slot, _buffer[..bytes]);
        Bytes += (ulong)bytes;
        return true;
    }

    /// <summary>Every page as it is kept, the oldest first.</summary>
    public IEnumerable<(uint Slot, byte[] Compressed)> ByAge => _pages.ByAge;

    /// <summary>Reads a page back, which is younger than those that are here.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="slot">Its slot, of which nothing is kept.</param>
    public void Load(StateReader reader, uint slot)
    {
        Span<byte> whole = stackalloc byte[SwapSlot.SizeInBytes];
        byte[] compressed = reader.ReadBytes("pooledBytes", MostBytesOfPage);
        if (!BrotliDecoder.TryDecompress(compressed, whole, out int bytes) || bytes != whole.Length)
            throw reader.Refuse("pooledBytes", $"cannot be decompressed to the page of slot {slot}");
        _pages.Add(slot, compressed);
        Bytes += (ulong)compressed.Length;
    }

    /// <summary>Decompresses the page of a slot, which must be kept here.</summary>
    public void Read(uint slot, Span<byte> page)
    {
        if (!_pages.TryGet(slot, out byte[]? compressed) || !BrotliDecoder.TryDecompress(compressed, page, out int bytes) || bytes != page.Length)
            throw new UnreachableException();
    }

    /// <summary>Drops the page of a slot, which must be kept here.</summary>
    /// <returns>The bytes that it took.</returns>
    public int Remove(uint slot)
    {
        if (!_pages.TryRemove(slot, out byte[]? compressed))
            throw new UnreachableException();
        Bytes -= (ulong)compressed.Length;
        return compressed.Length;
    }
}
