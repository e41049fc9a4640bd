using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>The state of <see cref="Replacement.Nru"/>: one reference bit an entry.</summary>
internal unsafe struct NotRecentlyUsed
{
    private byte* _bits;
    private int* _counts;
    private SkewedIndex* _skew;
    private int _sets;
    private int _ways;
    private int _stride;

    /// <summary>Prepares the state of an array.</summary>
    /// <param name="arena">Where it lives.</param>
    /// <param name="sets">Sets.</param>
    /// <param name="ways">Ways.</param>
    /// <param name="stride">Distance between the first entries of neighbouring sets.</param>
    /// <param name="skew">Where the entries that compete for a page are no set; else null.</param>
    public void Initialize(Arena arena, int sets, int ways, int stride, SkewedIndex* skew)
    {
        _sets = sets;
        _ways = ways;
        _stride = stride;
        _skew = skew;
        _bits = arena.Allocate<byte>((long)sets * stride);
        _counts = arena.Allocate<int>(sets);
    }

    /// <summary>A way was used.</summary>
    public readonly void Touch(int set, int way)
    {
        byte* bits = _bits + ((long)set * _stride);
        if (_skew != null)
        {
            TouchSkewed(way);
            return;
        }

        if (bits[way] == 0)
        {
            bits[way] = 1;
            _counts[set]++;
        }

        if (_counts[set] < _ways)
            return;
        new Span<byte>(bits, _ways).Clear();
        bits[way] = 1;
        _counts[set] = 1;
    }

    /// <summary>The lowest way that was not used; way 0 where there is only that.</summary>
    public readonly int Victim(int set) => Math.Max(0, new Span<byte>(_bits + ((long)set * _stride), _ways).IndexOf((byte)0));

    /// <summary>The same among the entries that a page may be in.</summary>
    public readonly int Victim(in SkewedIndex skew, ulong pageNumber)
    {
        for (int way = 0; way < skew.Ways; way++)
        {
            int entry = skew.EntryOf(pageNumber, way);
            if (_bits[entry] == 0)
                return entry;
        }

        // Every one of them was used for other pages since it was last cleared for this one.
        return skew.EntryOf(pageNumber, 0);
    }

    /// <summary>Writes the reference bits.</summary>
    public readonly void Save(StateWriter writer) => writer.WriteArray<byte>(Bits);

    /// <summary>Reads them back.</summary>
    public readonly void Load(StateReader reader)
    {
        reader.ReadArray("referenceBits", Bits);
        if (Bits.ContainsAnyExceptInRange((byte)0, (byte)1))
            throw reader.Refuse("referenceBits", "has something else than bits");
        if (_skew != null)
            return;
        for (int set = 0; set < _sets; set++)
            _counts[set] = Bits.Slice(set * _stride, _ways).Count((byte)1);
    }

    // SAFETY: as many as Initialize allocated.
    private readonly Span<byte> Bits => new(_bits, _sets * _stride);

    private readonly void TouchSkewed(int entry)
    {
        _bits[entry] = 1;
        ulong pageNumber = _skew->PageNumberOf(entry);
        for (int way = 0; way < _skew->Ways; way++)
        {
            if (_bits[_skew->EntryOf(pageNumber, way)] == 0)
                return;
        }

        for (int way = 0; way < _skew->Ways; way++)
            _bits[_skew->EntryOf(pageNumber, way)] = 0;
        _bits[entry] = 1;
    }
}
