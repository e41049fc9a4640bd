namespace Mmu86.TestKit.Paging;

/// <summary>The index functions of a skewed array on lists of bits, and replacement among the places that they name.</summary>
/// <param name="ways">Ways.</param>
/// <param name="sets">A power of two.</param>
public sealed class ReferenceSkewing(int ways, int sets)
{
    private readonly Dictionary<(int Set, int Way), int> _uses = [];
    private readonly HashSet<(int Set, int Way)> _referenced = [];
    private readonly Dictionary<ulong, (int Set, int Way)[]> _places = [];
    private int _now;

    /// <summary>Where each way would hold a page, from way 0 on.</summary>
    public (int Set, int Way)[] Places(ulong pageNumber)
    {
        if (!_places.TryGetValue(pageNumber, out (int Set, int Way)[]? places))
            _places.Add(pageNumber, places = PlacesByBits(pageNumber));
        return places;
    }

    /// <summary>A place was used: hit, or with LRU and NRU filled.</summary>
    public void Use((int Set, int Way) place, ulong pageNumber)
    {
        _uses[place] = ++_now;
        _referenced.Add(place);
        (int Set, int Way)[] rivals = Places(pageNumber);
        if (rivals.All(_referenced.Contains))
            _referenced.ExceptWith(rivals.Where(rival => rival != place));
    }

    /// <summary>The place of a page used longest ago: with uses told of hits and fills LRU, of fills alone FIFO.</summary>
    public (int Set, int Way) Oldest(ulong pageNumber) => Places(pageNumber).MinBy(place => _uses.GetValueOrDefault(place));

    /// <summary>The first place of a page that was not referenced.</summary>
    public (int Set, int Way) NotReferenced(ulong pageNumber) =>
        Places(pageNumber).Where(place => !_referenced.Contains(place)).DefaultIfEmpty(Places(pageNumber)[0]).First();

    private (int Set, int Way)[] PlacesByBits(ulong pageNumber)
    {
        int bits = int.Log2(sets);
        // The page number in groups of as many bits as the index has, the lowest first.
        List<bool[]> groups = [];
        for (; pageNumber != 0 || groups.Count < 2; pageNumber >>= bits)
            groups.Add([.. Enumerable.Range(0, bits).Select(bit => ((pageNumber >> bit) & 1) != 0)]);
        bool[] high = groups.Skip(1).Aggregate(Xor);
        var places = new (int Set, int Way)[ways];
        for (int way = 0; way < ways; way++)
        {
            places[way] = (ToNumber(Xor(groups[0], high)), way);
            high = [.. high[1..], high[^1] ^ high[0]];
        }

        return places;
    }

    private static bool[] Xor(bool[] a, bool[] b) => [.. a.Zip(b, (x, y) => x ^ y)];

    private static int ToNumber(bool[] bits) => bits.Select((bit, i) => bit ? 1 << i : 0).Sum();
}
