using System.Runtime.InteropServices;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Writes the operations of chunks in few bytes. What it has learned of one chunk serves the next.</summary>
internal sealed class ChunkEncoder
{
    private readonly byte[] _bytes = new byte[StreamFile.LargestPayload];
    private readonly PagePredictor _data = new();
    private readonly PagePredictor _fetch = new();
    private readonly ChunkCoding.Attributes[] _attributes = new ChunkCoding.Attributes[3];
    private int _count;

    /// <summary>Encodes a chunk.</summary>
    /// <returns>The bytes, until the next call.</returns>
    public ReadOnlySpan<byte> Encode(StreamChunk chunk)
    {
        _count = 0;
        ReadOnlySpan<ulong> words = chunk.Words.AsSpan(0, chunk.Count);
        while (!words.IsEmpty)
        {
            StreamOperation operation = TranslationStreamReader.Operation(words[0]);
            int length = TranslationStreamReader.Length(words[0]);
            if (operation == StreamOperation.Lookup)
            {
                Lookup(new LookupEvent(words[0], words[1]));
            }
            else
            {
                _bytes[_count++] = (byte)(ChunkCoding.Other | ((int)operation << ChunkCoding.OperationShift));
                ReadOnlySpan<byte> raw = MemoryMarshal.AsBytes(words[..length]);
                raw.CopyTo(_bytes.AsSpan(_count));
                _count += raw.Length;
            }

            words = words[length..];
        }

        return _bytes.AsSpan(0, _count);
    }

    private void Lookup(LookupEvent lookup)
    {
        int kind = (int)lookup.Kind;
        PagePredictor predictor = lookup.Kind == AccessKind.Fetch ? _fetch : _data;
        ulong page = lookup.Page;
        uint repeats = lookup.Repeats;
        ref byte tag = ref _bytes[_count++];
        int code = kind;
        PagePredictor.Guess guess = predictor.BehindTwo;
        if (guess.Page != page)
        {
            guess = predictor.BehindOne;
            code |= (guess.Page == page ? ChunkCoding.PageBehindOne : ChunkCoding.PageFollows) << ChunkCoding.PageShift;
            if (guess.Page != page)
            {
                long difference = (long)(page - predictor.Last);
                Number((ulong)((difference << 1) ^ (difference >> 63)));
            }
        }

        if (repeats != 1)
        {
            bool asGuessed = repeats == guess.Repeats;
            code |= (asGuessed ? ChunkCoding.RepeatsAsGuessed : ChunkCoding.RepeatsFollow) << ChunkCoding.RepeatsShift;
            if (!asGuessed)
                Number(repeats);
        }

        ChunkCoding.Attributes attributes = ChunkCoding.Attributes.Of(lookup);
        if (_attributes[kind] != attributes)
        {
            _attributes[kind] = attributes;
            code |= ChunkCoding.AttributesFollow;
            Number(attributes.Bits);
            Number(attributes.Space);
            Number(attributes.Site);
        }

        tag = (byte)code;
        predictor.Learn(page, repeats);
    }

    // Seven bits a byte, the lowest first; bit 7 says that more follow.
    private void Number(ulong value)
    {
        while (value >= 0x80)
        {
            _bytes[_count++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _bytes[_count++] = (byte)value;
    }
}
