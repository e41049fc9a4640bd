using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>All set-associative LRU arrays of a geometry, from one pass over the references of one structure to pages of one size.</summary>
/// <remarks>
/// <para>Every figure equals a direct simulation of the array with S sets of W ways: the set is the page number modulo S, the tag is page number and
/// space; a miss fills a free way if the set has one and otherwise replaces the least recently used.</para>
/// <para><b>One stack for all ways.</b> For each set count a set is a row of sixteen positions, each an entry or a hole. The claim is that after every event
/// the set of each array of W ways holds exactly the entries in the first W positions, most recent first, and has as many free ways as these
/// positions have holes. It is true of empty arrays, whose rows are all holes, and every event keeps it true:</para>
/// <list type="bullet">
/// <item>An invalidation makes the entry's position a hole. Arrays that held it (those with W above the position) have one more free way; nothing
/// moves in the others.</item>
/// <item>A reference to a page at position d, or to none (d infinite), with the first hole at h (or none, h infinite). The page's own
/// position, if any, becomes a hole; then the first hole is at k = min(d, h); the entries above k move down by one, and the page is in front. Positions
/// beyond k stay as they are. An array with W at most k has no free way and does not hold the page: it misses and replaces position W - 1, the least recent of
/// a full set, which is the entry that the move carries out of the first W positions. With d at most h, arrays with W above d = k hold the page:
/// they hit, keep their entries, and the page becomes the most recent. With h below d, arrays with W above h but at most d miss and have a free
/// way: they fill it and lose nothing; the move carries nothing out of their positions, and they have the hole h less. Arrays with W
/// above d hit: the hole at h is gone, and the one at d has come, so that they have as many free ways as before.</item>
/// </list>
/// <para>So position d of a reference decides for all numbers of ways at once: a hit where W is above d.</para>
/// <para><b>Early stop.</b> Set counts are powers of two in rising order, so a set of the larger count sees a part of what one set of the smaller sees. A page
/// in position 0 was the last one referenced in its set and was not invalidated since: both a later reference to another page of the set and an
/// invalidation of the page would have taken it from there, and nothing else puts a page in front. Then the same is true of its set in every
/// larger count. A reference to a page in position 0 changes nothing in its row (k = 0), so the larger counts need not be looked at.</para>
/// <para><b>Memory</b> is bounded by the geometry but for <see cref="ColdMisses"/>, which needs two bits for each page ever seen until
/// <see cref="RetireSpace"/> forgets those of a space.</para>
/// </remarks>
public sealed class LruFamily : IPageIdHolder
{
    private const int Positions = LruFamilyGeometry.WaysLimit;
    private const int CacheLineBytes = 64;

    private const int ChunkLength = 256;

    private readonly LruFamilyGeometry _geometry;
    private readonly Level[] _levels;
    private readonly uint[] _rows;
    private readonly int _firstRow;
    private readonly int _rowsLength;
    private readonly Pending[] _pending = new Pending[ChunkLength];
    private readonly PageIdTable _ids;
    private readonly SeenPages _seen = new();
    private int _pendingCount;
    private bool _isLastInFront;
    private ulong _lastPage;
    private uint _lastSpace;

    /// <summary>Empty arrays.</summary>
    public LruFamily(LruFamilyGeometry geometry) : this(geometry, mostHeld => new PageIdTable(mostHeld))
    {
    }

    internal LruFamily(LruFamilyGeometry geometry, Func<int, PageIdTable> makeIds)
    {
        _geometry = geometry;
        _rowsLength = geometry.SetCounts.Sum() * Positions;

        // A row is one cache line where it begins at one; the pinned heap does not move it.
        _rows = GC.AllocateArray<uint>(_rowsLength + (CacheLineBytes / sizeof(uint)), pinned: true);
        long address = Marshal.UnsafeAddrOfPinnedArrayElement(_rows, 0);
        _firstRow = (int)(-address & (CacheLineBytes - 1)) / sizeof(uint);
        _levels = new Level[geometry.SetCounts.Count];
        uint first = 0;
        for (int i = 0; i < _levels.Length; i++)
        {
            uint length = (uint)(geometry.SetCounts[i] * Positions);
            _levels[i] = new Level { RowOffsetMask = length - Positions, FirstRowOffset = first };
            first += length;
        }

        _ids = makeIds(_rowsLength + ChunkLength);
    }

    /// <summary>Lookups so far.</summary>
    public long Lookups { get; private set; }

    /// <summary>Lookups of pages never referenced before: misses of every array however large.</summary>
    public long ColdMisses => _seen.Count;

    internal int SeenGroups => _seen.Groups;

    /// <summary>Lookups that an array did not answer.</summary>
    /// <param name="sets">One of the geometry's set counts.</param>
    /// <param name="ways">1 to the geometry's most.</param>
    /// <exception cref="ArgumentOutOfRangeException">The array is not in the family.</exception>
    public long Misses(int sets, int ways)
    {
        int level = 0;
        while (level < _levels.Length && _geometry.SetCounts[level] != sets)
            level++;
        if (level == _levels.Length)
            throw new ArgumentOutOfRangeException(nameof(sets), sets, "The family has no such set count.");
        ArgumentOutOfRangeException.ThrowIfLessThan(ways, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ways, _geometry.MostWays);
        long hits = 0;
        for (int i = 0; i <= level; i++)
            hits += _levels[i].Stops;
        for (int depth = 0; depth < ways; depth++)
            hits += _levels[level].Depths[depth];
        return Lookups - hits;
    }

    /// <summary>Lookups of one page, one after another.</summary>
    /// <param name="page">The page's number.</param>
    /// <param name="space">The address space of its entry.</param>
    /// <param name="repeats">How many, at least 1.</param>
    public void Access(ulong page, uint space, uint repeats) => Access([new PageReference(page, space, repeats)]);

    /// <summary>Many lookups, in order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A reference repeats no lookup.</exception>
    public void Access(ReadOnlySpan<PageReference> references)
    {
        foreach (ref readonly PageReference reference in references)
            ArgumentOutOfRangeException.ThrowIfZero(reference.Repeats, nameof(references));
        if (WideRow.IsSupported)
            AccessAll<WideRow>(references);
        else
            AccessAll<HalvedRow>(references);
    }

    /// <summary>An entry is invalidated wherever it is held.</summary>
    public void InvalidatePage(ulong page, uint space)
    {
        uint id = _ids.Find(page, space);
        if (id == 0)
            return;
        ForgetLast();
        foreach (ref Level level in _levels.AsSpan())
        {
            uint offset = level.FirstRowOffset + (((uint)page * Positions) & level.RowOffsetMask);
            Span<uint> row = _rows.AsSpan(_firstRow + (int)offset, Positions);
            int position = row.IndexOf(id);
            if (position >= 0)
                row[position] = 0;
        }
    }

    /// <summary>All entries of one address space are invalidated.</summary>
    public void InvalidateSpace(uint space)
    {
        ForgetLast();
        var mask = Vector256.Create(_ids.SpaceMask);
        var bits = Vector256.Create(_ids.SpaceBits(space));
        Span<uint> rows = _rows.AsSpan(_firstRow, _rowsLength);
        ref uint first = ref MemoryMarshal.GetReference(rows);
        for (int i = 0; i < rows.Length; i += Vector256<uint>.Count)
        {
            uint alike = Vector256.Equals(Vector256.LoadUnsafe(ref first, (nuint)i) & mask, bits).ExtractMostSignificantBits();
            for (; alike != 0; alike &= alike - 1)
            {
                ref uint id = ref rows[i + BitOperations.TrailingZeroCount(alike)];
                if (id != 0 && _ids.SpaceOf(id) == space)
                    id = 0;
            }
        }
    }

    /// <summary>All entries are invalidated.</summary>
    public void InvalidateAll()
    {
        ForgetLast();
        Array.Clear(_rows);
    }

    /// <summary>Invalidates a space and forgets that its pages were ever seen: its number may be used for another.</summary>
    public void RetireSpace(uint space)
    {
        InvalidateSpace(space);
        _ids.Forget(space);
        _seen.Forget(space);
    }

    void IPageIdHolder.MarkHeld(Span<bool> isHeld)
    {
        foreach (uint id in _rows.AsSpan(_firstRow, _rowsLength))
        {
            if (id != 0)
                isHeld[_ids.IndexOf(id)] = true;
        }

        foreach (Pending pending in _pending.AsSpan(0, _pendingCount))
            isHeld[_ids.IndexOf(pending.Id)] = true;
    }

    internal void AccessAll<TRow>(ReadOnlySpan<PageReference> references)
        where TRow : struct, IRecencyRow<TRow>
    {
        while (!references.IsEmpty)
        {
            ReadOnlySpan<PageReference> chunk = references[..Math.Min(references.Length, ChunkLength)];
            NameAll(chunk);
            TouchAll<TRow>();
            _pendingCount = 0;
            references = references[chunk.Length..];
        }
    }

    // First the ids of a chunk and then its rows: searches of ids do not depend on one another, and so overlap where memory is slow.
    private void NameAll(ReadOnlySpan<PageReference> chunk)
    {
        ref Pending pending = ref MemoryMarshal.GetArrayDataReference(_pending);
        long lookups = 0;
        long unchanged = 0;
        ulong lastPage = _lastPage;
        uint lastSpace = _lastSpace;
        bool isLastInFront = _isLastInFront;
        foreach (ref readonly PageReference reference in chunk)
        {
            ulong page = reference.Page;
            uint space = reference.Space;
            lookups += reference.Repeats;
            unchanged += reference.Repeats - 1;
            if (page == lastPage && space == lastSpace && isLastInFront)
            {
                unchanged++;
                continue;
            }

            uint id = _ids.Find(page, space);
            if (id == 0)
                id = Name(page, space);
            Unsafe.Add(ref pending, _pendingCount++) = new Pending { RowOffset = (uint)page * Positions, Id = id };
            lastPage = page;
            lastSpace = space;
            isLastInFront = true;
        }

        _lastPage = lastPage;
        _lastSpace = lastSpace;
        _isLastInFront = isLastInFront;
        Lookups += lookups;
        _levels[0].Stops += unchanged;
    }

    private void TouchAll<TRow>()
        where TRow : struct, IRecencyRow<TRow>
    {
        ref uint rows = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_rows), _firstRow);
        ref Level first = ref MemoryMarshal.GetArrayDataReference(_levels);
        ref Level end = ref Unsafe.Add(ref first, _levels.Length);
        foreach (Pending pending in _pending.AsSpan(0, _pendingCount))
        {
            uint id = pending.Id;
            TRow front = TRow.Of(id);
            ref Level level = ref first;
            do
            {
                ref uint row = ref Unsafe.Add(ref rows, (nint)(level.FirstRowOffset + (pending.RowOffset & level.RowOffsetMask)));
                if (row == id)
                {
                    level.Stops++;
                    break;
                }

                if (Unsafe.Add(ref row, 1) == id)
                {
                    // Streams that take turns: a move of its own is not as long in coming as that of a position yet to be found.
                    front.SwapFirst(ref row);
                    level.Depths[1]++;
                }
                else
                {
                    Unsafe.Add(ref Unsafe.As<PositionCounts, long>(ref level.Depths), front.Touch(ref row))++;
                }

                level = ref Unsafe.Add(ref level, 1);
            }
            while (Unsafe.IsAddressLessThan(ref level, ref end));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint Name(ulong page, uint space)
    {
        _seen.Add(page, space, out _);
        return _ids.Add(page, space, this);
    }

    private void ForgetLast() => _isLastInFront = false;

    private struct Pending
    {
        public uint RowOffset;
        public uint Id;
    }

    // One set count. Offsets count ids from the first row.
    private struct Level
    {
        public uint RowOffsetMask;
        public uint FirstRowOffset;

        // References to pages that were in front of their set here, and so in all later levels, but in none before.
        public long Stops;

        // By position, other references to pages found there; the last for those found in none.
        public PositionCounts Depths;
    }

    [InlineArray(IRecencyRow<HalvedRow>.NoPosition + 1)]
    private struct PositionCounts
    {
        private long _first;
    }
}
