using System.Runtime.InteropServices;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Reads what <see cref="ChunkEncoder"/> wrote, and believes none of it.</summary>
internal sealed class ChunkDecoder
{
    private const int LargestRun = 10; // bytes of a number

    private readonly PagePredictor _data = new();
    private readonly PagePredictor _fetch = new();
    private readonly ChunkCoding.Attributes[] _attributes = new ChunkCoding.Attributes[3];

    /// <summary>Decodes a chunk.</summary>
    /// <param name="bytes">The payload.</param>
    /// <param name="chunk">Gets the operations; empty.</param>
    /// <exception cref="TranslationStreamException">They are none.</exception>
    public void Decode(ReadOnlySpan<byte> bytes, StreamChunk chunk)
    {
        while (!bytes.IsEmpty)
        {
            int tag = bytes[0];
            bytes = bytes[1..];
            if ((tag & 3) != ChunkCoding.Other)
                Lookup(tag, ref bytes, chunk);
            else
                Other((StreamOperation)(tag >> ChunkCoding.OperationShift), ref bytes, chunk);
        }
    }

    private void Lookup(int tag, ref ReadOnlySpan<byte> bytes, StreamChunk chunk)
    {
        int kind = tag & 3;
        PagePredictor predictor = (AccessKind)kind == AccessKind.Fetch ? _fetch : _data;
        int pageCode = (tag >> ChunkCoding.PageShift) & 3;
        PagePredictor.Guess guess = pageCode == ChunkCoding.PageBehindTwo ? predictor.BehindTwo : predictor.BehindOne;
        ulong page = guess.Page;
        if (pageCode == ChunkCoding.PageFollows)
        {
            ulong zigzag = Number(ref bytes);
            page = predictor.Last + ((zigzag >> 1) ^ (0 - (zigzag & 1)));
        }

        int repeatsCode = (tag >> ChunkCoding.RepeatsShift) & 3;
        ulong repeats = repeatsCode == ChunkCoding.RepeatsOne ? 1
            : repeatsCode == ChunkCoding.RepeatsAsGuessed ? guess.Repeats
            : Number(ref bytes);
        if ((tag & ChunkCoding.AttributesFollow) != 0)
            _attributes[kind] = new ChunkCoding.Attributes(Number(ref bytes), Small(Number(ref bytes)), Small(Number(ref bytes)));
        ChunkCoding.Attributes attributes = _attributes[kind];
        if (tag >= 0x80 || pageCode == 3 || repeatsCode == 3 || page >> (64 - ChunkCoding.PageNumberShift) != 0 || repeats is 0 or > uint.MaxValue
            || (attributes.Bits & ~ChunkCoding.KnownAttributes) != 0 || attributes.Space is 0 or > ChunkCoding.LargestSpace || attributes.Site > ushort.MaxValue)
        {
            throw new TranslationStreamException("a lookup is impossible");
        }

        predictor.Learn(page, (uint)repeats);
        Span<ulong> words = Take(chunk, LookupEvent.Words);
        words[0] = (page << ChunkCoding.PageNumberShift) | attributes.Bits | ((ulong)kind << 4);
        words[1] = ((ulong)attributes.Site << 48) | ((ulong)attributes.Space << 32) | repeats;
    }

    private static void Other(StreamOperation operation, ref ReadOnlySpan<byte> bytes, StreamChunk chunk)
    {
        if (operation is StreamOperation.Lookup or > StreamOperation.AddressRemoved)
            throw new TranslationStreamException($"{(int)operation} is no operation");
        int length = TranslationStreamReader.Length((ulong)operation);
        if (bytes.Length < length * sizeof(ulong))
            throw new TranslationStreamException("an operation is cut off");
        Span<ulong> words = Take(chunk, length);
        bytes[..(length * sizeof(ulong))].CopyTo(MemoryMarshal.AsBytes(words));
        bytes = bytes[(length * sizeof(ulong))..];
        if (TranslationStreamReader.Operation(words[0]) != operation || !IsPossible(operation, words))
            throw new TranslationStreamException($"a {operation} is impossible");
    }

    // What whoever takes the stream relies on.
    private static bool IsPossible(StreamOperation operation, ReadOnlySpan<ulong> words) => operation switch
    {
        StreamOperation.Invalidation => words[0] >> 4 <= (ulong)StreamInvalidation.Vpid,
        StreamOperation.Mark => words[0] >> 4 <= (ulong)StreamMoment.Last,
        StreamOperation.PageRemoved or StreamOperation.AddressRemoved or StreamOperation.SpaceRemoved => words[0] >> 4 is > 0 and <= ChunkCoding.LargestSpace,
        StreamOperation.SpaceLeft => words[0] >> 5 is > 0 and <= ChunkCoding.LargestSpace,
        _ => true,
    };

    private static Span<ulong> Take(StreamChunk chunk, int length)
    {
        if (chunk.Count + length > StreamChunk.Capacity)
            throw new TranslationStreamException("there are more operations than a chunk holds");
        Span<ulong> words = chunk.Words.AsSpan(chunk.Count, length);
        chunk.Count += length;
        return words;
    }

    private static uint Small(ulong value) => (uint)Math.Min(value, uint.MaxValue);

    private static ulong Number(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int i = 0; i < bytes.Length && i < LargestRun; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] >= 0x80)
                continue;
            bytes = bytes[(i + 1)..];
            return value;
        }

        throw new TranslationStreamException("a number is cut off");
    }
}
