using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mmu86.Paging;

/// <summary>Tags and data of a set-associative structure, or of one without bounds, as a structure of arrays.</summary>
/// <remarks>
/// An entry is named by its index, set × stride + way, which stays the same as long as the entry lives. An entry whose space was
/// retired is dead: it is never found (nobody looks for its space again before a sweep) and its way counts as free.
/// </remarks>
internal unsafe struct AssociativeArray
{
    // Tags are compared four at a time.
    private const int Lanes = 4;

    public ulong* Tags;
    public ulong* Data;
    public ReplacementState Replacement;

    private uint* _live;
    private byte* _alive;
    private ushort* _used;
    private Unbounded* _unbounded;
    private long _dead;
    private ulong _setMask;
    private uint _modulus;
    private int _hashShift;

    /// <summary>Sets; 0 of an unbounded array.</summary>
    public int Sets { get; private set; }

    /// <summary>Ways; 0 of an unbounded array.</summary>
    public int Ways { get; private set; }

    /// <summary>Distance between the first entries of neighbouring sets: the ways, rounded up to what is compared at once.</summary>
    public int Stride { get; private set; }

    /// <summary>Entries that side arrays must have room for. Grows in an unbounded array.</summary>
    public long Capacity { get; private set; }

    /// <summary>Whether nothing is ever evicted.</summary>
    public readonly bool IsUnbounded => _unbounded != null;

    /// <summary>Builds an empty array.</summary>
    public void Initialize(Arena arena, TagPool pool, int sets, int ways, IndexHash hash, Replacement replacement, ulong seed)
    {
        Sets = sets;
        Ways = ways;
        _alive = pool.Alive;
        _live = arena.Allocate<uint>(Tag.SizesAndSpaces);
        if (sets == 0)
        {
            _unbounded = arena.Allocate<Unbounded>(1);
            Capacity = _unbounded->Initialize(arena);
            Stride = 1;
        }
        else
        {
            Stride = (ways + Lanes - 1) / Lanes * Lanes;
            Capacity = (long)sets * Stride;
            _used = arena.Allocate<ushort>(sets);
            _modulus = BitOperations.IsPow2(sets) ? 0 : (uint)sets;
            _setMask = (uint)sets - 1;
            // A page number has at most 45 bits, so a shift by 63 leaves the linear index.
            _hashShift = hash == IndexHash.Xor && sets > 1 ? BitOperations.Log2((uint)sets) : 63;
            Replacement.Initialize(arena, replacement, sets, ways, Stride, seed);
        }

        Tags = arena.Allocate<ulong>(Capacity);
        Data = arena.Allocate<ulong>(Capacity);
    }

    /// <summary>The set of a page number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int SetOf(ulong pageNumber) =>
        _modulus == 0 ? (int)((pageNumber ^ (pageNumber >> _hashShift)) & _setMask) : (int)(pageNumber % _modulus);

    /// <summary>The entry that carries one of two tags, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int Find(int set, ulong tag, ulong other)
    {
        if (_unbounded != null)
            return FindUnbounded(tag, other);
        int first = set * Stride;
        // SAFETY: set < Sets (SetOf), and Tags has Sets × Stride words; Stride is a multiple of the vector's length.
        ulong* tags = Tags + first;
        Vector256<ulong> wanted = Vector256.Create(tag);
        Vector256<ulong> alternative = Vector256.Create(other);
        for (int way = 0; way < Stride; way += Lanes)
        {
            Vector256<ulong> four = Vector256.Load(tags + way);
            uint matches = (Vector256.Equals(four, wanted) | Vector256.Equals(four, alternative)).ExtractMostSignificantBits();
            if (matches != 0)
                return first + way + BitOperations.TrailingZeroCount(matches);
        }

        return -1;
    }

    /// <summary>Chooses where a new entry goes: a free way if there is one, else the victim's.</summary>
    /// <param name="arena">Where an unbounded array grows.</param>
    /// <param name="set">The set of the new entry.</param>
    /// <param name="displaced">What the way holds still: the tag of the victim or of a dead entry, or 0. The caller overwrites it with <see cref="Write"/>.</param>
    /// <param name="isEviction">Whether that is a live entry.</param>
    /// <returns>The entry.</returns>
    public int Place(Arena arena, int set, out ulong displaced, out bool isEviction)
    {
        displaced = 0;
        isEviction = false;
        if (_unbounded != null)
            return PlaceUnbounded(arena);
        int first = set * Stride;
        if (_used[set] < Ways || _dead > 0)
        {
            for (int way = 0; way < Ways; way++)
            {
                ulong tag = Tags[first + way];
                if (tag == 0)
                {
                    _used[set]++;
                    return first + way;
                }

                if (_alive[Tag.Space(tag)] == 0)
                {
                    _dead--;
                    displaced = tag;
                    return first + way;
                }
            }
        }

        int victim = first + Replacement.Victim(set);
        displaced = Tags[victim];
        isEviction = true;
        _live[Tag.SizeAndSpace(displaced)]--;
        return victim;
    }

    /// <summary>Puts an entry where <see cref="Place"/> said.</summary>
    public void Write(int entry, ulong tag, ulong data)
    {
        if (_unbounded != null)
            _unbounded->Enter(Tags, tag, entry);
        Tags[entry] = tag;
        Data[entry] = data;
        _live[Tag.SizeAndSpace(tag)]++;
    }

    /// <summary>Empties the way of a live entry.</summary>
    public void Remove(int entry)
    {
        ulong tag = Tags[entry];
        _live[Tag.SizeAndSpace(tag)]--;
        if (_unbounded != null)
            _unbounded->Leave(Tags, entry);
        else
            _used[entry / Stride]--;
        Tags[entry] = 0;
    }

    /// <summary>Whether an entry holds something that a lookup might still find.</summary>
    public readonly bool IsLive(int entry) => Tags[entry] != 0 && _alive[Tag.Space(Tags[entry])] != 0;

    /// <summary>One past the last entry that may be live: the bound of a scan.</summary>
    public readonly int ScanEnd => _unbounded != null ? _unbounded->Top : (int)Capacity;

    /// <summary>A space was retired: its entries are dead from now on.</summary>
    /// <returns>How many entries of the page size died.</returns>
    public uint Bury(uint space, int size)
    {
        uint* live = _live + ((size << 13) | (int)space);
        uint count = *live;
        *live = 0;
        _dead += count;
        return count;
    }

    /// <summary>Empties every dead way.</summary>
    public void Sweep()
    {
        if (_dead == 0)
            return;
        int end = ScanEnd;
        for (int entry = 0; entry < end; entry++)
        {
            if (Tags[entry] == 0 || _alive[Tag.Space(Tags[entry])] != 0)
                continue;
            if (_unbounded != null)
                _unbounded->Leave(Tags, entry);
            else
                _used[entry / Stride]--;
            Tags[entry] = 0;
        }

        _dead = 0;
    }

    private readonly int FindUnbounded(ulong tag, ulong other)
    {
        int entry = _unbounded->Find(Tags, tag);
        return entry >= 0 || tag == other ? entry : _unbounded->Find(Tags, other);
    }

    private int PlaceUnbounded(Arena arena)
    {
        // Half of the table dead: reclaim rather than grow, at a cost that the fills since then have paid for.
        if (_dead > 1024 && _dead > _unbounded->Count / 2)
            Sweep();
        if (_unbounded->IsFull)
        {
            long capacity = Capacity;
            Capacity = _unbounded->Grow(arena, Tags);
            Tags = arena.Grow(Tags, capacity, Capacity);
            Data = arena.Grow(Data, capacity, Capacity);
        }

        return _unbounded->Take();
    }
}
