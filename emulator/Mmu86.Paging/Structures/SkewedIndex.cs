using System.Numerics;

namespace Mmu86.Paging;

/// <summary>The index functions of a skewed-associative array: two pages that meet in one way mostly part in the others.</summary>
/// <remarks>
/// With n = log2(sets), A1 the n low bits of the page number, A2 all further groups of n bits xored, and H the step
/// "shift right by one; the new high bit is the old high bit xor the old low bit", way w has the index A1 xor H^w(A2). Pages of one run of
/// <c>sets</c> pages never meet, because A2 is the same; pages that meet in way v meet in w only where H^v and H^w agree on the difference
/// of their A2. H is the function of Seznec, "A case for two-way skewed-associative caches" (ISCA 1993).
/// </remarks>
internal readonly unsafe struct SkewedIndex
{
    private readonly int _bits;
    private readonly int _stride;
    private readonly ulong _mask;
    private readonly ulong* _tags;

    /// <summary>Makes the index of an array.</summary>
    /// <param name="sets">A power of two of at least 4.</param>
    /// <param name="ways">Ways.</param>
    /// <param name="stride">Distance between the first entries of neighbouring rows.</param>
    /// <param name="tags">The tags of the array.</param>
    public SkewedIndex(int sets, int ways, int stride, ulong* tags)
    {
        _bits = BitOperations.Log2((uint)sets);
        Ways = ways;
        _stride = stride;
        _mask = (ulong)sets - 1;
        _tags = tags;
    }

    /// <summary>Ways.</summary>
    public int Ways { get; }

    /// <summary>The entry in which a way would hold a page.</summary>
    public int EntryOf(ulong pageNumber, int way)
    {
        ulong high = High(pageNumber);
        for (int step = 0; step < way; step++)
            high = Step(high);
        return ((int)((pageNumber & _mask) ^ high) * _stride) + way;
    }

    /// <summary>The entry that carries one of two tags of one page, or -1.</summary>
    public int Find(ulong tag, ulong other)
    {
        ulong pageNumber = Tag.PageNumber(tag);
        ulong low = pageNumber & _mask;
        ulong high = High(pageNumber);
        for (int way = 0; way < Ways; way++)
        {
            int entry = ((int)(low ^ high) * _stride) + way;
            if (_tags[entry] == tag || _tags[entry] == other)
                return entry;
            high = Step(high);
        }

        return -1;
    }

    /// <summary>The page number that an entry holds.</summary>
    public ulong PageNumberOf(int entry) => Tag.PageNumber(_tags[entry]);

    private ulong High(ulong pageNumber)
    {
        ulong high = 0;
        for (pageNumber >>= _bits; pageNumber != 0; pageNumber >>= _bits)
            high ^= pageNumber & _mask;
        return high;
    }

    private ulong Step(ulong value) => (value >> 1) | (((value >> (_bits - 1)) ^ value) & 1) << (_bits - 1);
}
