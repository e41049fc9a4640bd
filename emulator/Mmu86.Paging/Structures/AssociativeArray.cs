using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mmu86.Memory;

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
    private SkewedIndex* _skew;
    private ulong* _masks;
    private long _dead;

    // Sets whose index is no matter of a shift and a mask; else 0.
    private uint _modulus;

    /// <summary>Sets; 0 of an unbounded array.</summary>
    public int Sets { get; private set; }

    /// <summary>Ways; 0 of an unbounded array.</summary>
    public int Ways { get; private set; }

    /// <summary>Distance between the first entries of neighbouring sets: the ways, rounded up to what is compared at once.</summary>
    public int Stride { get; private set; }

    /// <summary>For the set: see <see cref="SetOf"/>.</summary>
    public ulong SetMask { get; private set; }

    /// <summary>For the set: see <see cref="SetOf"/>.</summary>
    public int HashShift { get; private set; }

    /// <summary>Whether the set is a matter of a shift and a mask: bounded, and a power of two.</summary>
    public readonly bool IsPlain => _unbounded == null && _modulus == 0;

    /// <summary>Entries that side arrays must have room for. Grows in an unbounded array.</summary>
    public long Capacity { get; private set; }

    /// <summary>Whether nothing is ever evicted.</summary>
    public readonly bool IsUnbounded => _unbounded != null;

    /// <summary>Whether each way has an index of its own. Such an array counts as one set, whose ways are the entries.</summary>
    public readonly bool IsSkewed => _skew != null;

    /// <summary>Builds an empty array.</summary>
    /// <param name="arena">Takes all of it but the counts.</param>
    /// <param name="counts">Takes the counts of live entries by page size and space, which are most of its bytes.</param>
    /// <param name="pool">The spaces.</param>
    /// <param name="sets">Sets, at least 1.</param>
    /// <param name="ways">Ways, at least 1.</param>
    /// <param name="hash">The index.</param>
    /// <param name="replacement">The policy.</param>
    /// <param name="seed">Of random replacement.</param>
    public void Initialize(Arena arena, Arena counts, TagPool pool, int sets, int ways, IndexHash hash, Replacement replacement, ulong seed)
    {
        TlbArrayConfiguration configuration = new() { Name = "", PageSizes = [], Sets = sets, Ways = ways, Hash = hash, Replacement = replacement };
        Initialize(arena, counts, pool, configuration, seed);
    }

    /// <summary>Builds an empty array of a geometry that can be built (<see cref="Geometry"/>).</summary>
    public void Initialize(Arena arena, TagPool pool, TlbArrayConfiguration configuration, ulong seed) => Initialize(arena, arena, pool, configuration, seed);

    private void Initialize(Arena arena, Arena counts, TagPool pool, TlbArrayConfiguration configuration, ulong seed)
    {
        int sets = configuration.Sets;
        int ways = configuration.Ways;
        Sets = sets;
        Ways = ways;
        _alive = pool.Alive;
        _live = counts.Allocate<uint>(Tag.SizesAndSpaces);
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
            _modulus = BitOperations.IsPow2(sets) && configuration.Hash <= IndexHash.Xor ? 0 : (uint)sets;
            SetMask = (uint)sets - 1;
            // A page number has at most 45 bits, so a shift by 63 leaves the linear index.
            HashShift = configuration.Hash == IndexHash.Xor && sets > 1 ? BitOperations.Log2((uint)sets) : 63;
        }

        Tags = arena.Allocate<ulong>(Capacity);
        Data = arena.Allocate<ulong>(Capacity);
        if (sets == 0)
            return;
        if (configuration.Hash == IndexHash.Skewed)
        {
            _skew = arena.Allocate<SkewedIndex>(1);
            *_skew = new SkewedIndex(sets, ways, Stride, Tags);
            Replacement.Initialize(arena, configuration, 1, (int)Capacity, (int)Capacity, seed, _skew);
            return;
        }

        if (configuration.IndexMasks is { } masks)
        {
            _masks = arena.Allocate<ulong>(masks.Count);
            for (int bit = 0; bit < masks.Count; bit++)
                _masks[bit] = Geometry.ParseMask(configuration.Name, masks[bit]);
        }

        _used = arena.Allocate<ushort>(sets);
        Replacement.Initialize(arena, configuration, sets, ways, Stride, seed, null);
    }

    /// <summary>The set of a page number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int SetOf(ulong pageNumber) =>
        _modulus == 0 ? (int)((pageNumber ^ (pageNumber >> HashShift)) & SetMask) : OtherSetOf(pageNumber);

    /// <summary>The entry that carries one of two tags, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int Find(int set, ulong tag, ulong other)
    {
        if (_unbounded != null)
            return FindUnbounded(tag, other);
        return _skew != null ? _skew->Find(tag, other) : FindInSet(Tags, set * Stride, Stride, tag, other);
    }

    /// <summary>The entry of one set that carries one of two tags, or -1.</summary>
    /// <param name="tags">The tags of the array.</param>
    /// <param name="first">The first entry of the set.</param>
    /// <param name="stride">The entries of the set, those included that only fill it up.</param>
    /// <param name="tag">The one tag.</param>
    /// <param name="other">The other tag.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FindInSet(ulong* tags, int first, int stride, ulong tag, ulong other)
    {
        // SAFETY: the set was computed by SetOf, so first + stride is within the array; the stride is a multiple of the vector's length.
        Vector256<ulong> wanted = Vector256.Create(tag);
        Vector256<ulong> alternative = Vector256.Create(other);
        int entry = first;
        int end = first + stride;
        do
        {
            Vector256<ulong> four = Vector256.Load(tags + entry);
            uint matches = (Vector256.Equals(four, wanted) | Vector256.Equals(four, alternative)).ExtractMostSignificantBits();
            if (matches != 0)
                return entry + BitOperations.TrailingZeroCount(matches);
            entry += Lanes;
        }
        while (entry < end);
        return -1;
    }

    /// <summary>The same for one tag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int FindInSet(int set, ulong tag)
    {
        // SAFETY: as above.
        Vector256<ulong> wanted = Vector256.Create(tag);
        int entry = set * Stride;
        if (Stride == Lanes)
        {
            uint matches = Vector256.Equals(Vector256.Load(Tags + entry), wanted).ExtractMostSignificantBits();
            return matches == 0 ? -1 : entry + BitOperations.TrailingZeroCount(matches);
        }

        return FindInWideSet(entry, entry + Stride, wanted);
    }

    // Sixteen at a time: where the entry stands is not predictable, so a test for every four would be mispredicted.
    private readonly int FindInWideSet(int entry, int end, Vector256<ulong> wanted)
    {
        for (; entry + (4 * Lanes) <= end; entry += 4 * Lanes)
        {
            ulong* tags = Tags + entry;
            uint matches = Vector256.Equals(Vector256.Load(tags), wanted).ExtractMostSignificantBits()
                | (Vector256.Equals(Vector256.Load(tags + Lanes), wanted).ExtractMostSignificantBits() << Lanes)
                | (Vector256.Equals(Vector256.Load(tags + (2 * Lanes)), wanted).ExtractMostSignificantBits() << (2 * Lanes))
                | (Vector256.Equals(Vector256.Load(tags + (3 * Lanes)), wanted).ExtractMostSignificantBits() << (3 * Lanes));
            if (matches != 0)
                return entry + BitOperations.TrailingZeroCount(matches);
        }

        for (; entry < end; entry += Lanes)
        {
            uint matches = Vector256.Equals(Vector256.Load(Tags + entry), wanted).ExtractMostSignificantBits();
            if (matches != 0)
                return entry + BitOperations.TrailingZeroCount(matches);
        }

        return -1;
    }

    /// <summary>Finds the first entry of a range whose tag agrees with another where a mask has bits.</summary>
    /// <param name="entry">Where to begin.</param>
    /// <param name="end">One past the last entry.</param>
    /// <param name="mask">The bits that count; among them the lowest, so that no free way agrees.</param>
    /// <param name="wanted">What they are to be; the others are clear.</param>
    /// <returns>The entry, which may be dead, or -1.</returns>
    public readonly int FindMasked(int entry, int end, ulong mask, ulong wanted)
    {
        // SAFETY: a block is read only where all of it is below the end, and that is at most the capacity.
        Vector256<ulong> bits = Vector256.Create(mask);
        Vector256<ulong> value = Vector256.Create(wanted);
        for (; entry + (4 * Lanes) <= end; entry += 4 * Lanes)
        {
            ulong* tags = Tags + entry;
            Vector256<ulong> any = Vector256.Equals(Vector256.Load(tags) & bits, value)
                | Vector256.Equals(Vector256.Load(tags + Lanes) & bits, value)
                | Vector256.Equals(Vector256.Load(tags + (2 * Lanes)) & bits, value)
                | Vector256.Equals(Vector256.Load(tags + (3 * Lanes)) & bits, value);
            if (any != Vector256<ulong>.Zero)
                break;
        }

        for (; entry < end; entry++)
        {
            if ((Tags[entry] & mask) == wanted)
                return entry;
        }

        return -1;
    }

    /// <summary>The entries that pages of one aligned run may be in.</summary>
    /// <param name="pageNumber">One of the pages.</param>
    /// <param name="pagesShift">Log2 of how many they are.</param>
    /// <returns>The first, and one past the last.</returns>
    public readonly (int First, int End) RangeOf(ulong pageNumber, int pagesShift)
    {
        // What an index by shift and mask adds to a page's lower bits is the same for the whole run: it takes neighbouring sets in one order or another.
        if (!IsPlain || 1L << pagesShift >= Sets)
            return (0, ScanEnd);
        int sets = 1 << pagesShift;
        int first = SetOf(pageNumber) & ~(sets - 1);
        return (first * Stride, (first + sets) * Stride);
    }

    /// <summary>Chooses where a new entry goes: a free way if there is one, else the victim's.</summary>
    /// <param name="arena">Where an unbounded array grows.</param>
    /// <param name="set">The set of the new entry.</param>
    /// <param name="isEviction">Whether the way holds a live entry, which the caller overwrites.</param>
    /// <returns>The entry. Its tag is 0, that of a dead entry, or that of the victim.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Place(Arena arena, int set, out bool isEviction)
    {
        // A set with a free way is the exception: it stays full once it was.
        if (_used == null || _used[set] < Ways || _dead > 0)
            return PlaceInFreeWay(arena, set, out isEviction);
        isEviction = true;
        return (set * Stride) + Replacement.Victim(set);
    }

    /// <summary>Puts an entry where <see cref="Place"/> said.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Write(int entry, ulong tag, ulong data, bool isEviction)
    {
        ulong old = Tags[entry];
        Tags[entry] = tag;
        Data[entry] = data;
        // Mostly an entry gives way to one of the same space and size.
        if (isEviction && Tag.SizeAndSpace(old) == Tag.SizeAndSpace(tag))
            return;
        if (isEviction)
            _live[Tag.SizeAndSpace(old)]--;
        _live[Tag.SizeAndSpace(tag)]++;
        if (_unbounded != null)
            _unbounded->Enter(Tags, tag, entry);
    }

    /// <summary>Empties the way of a live entry.</summary>
    public void Remove(int entry)
    {
        ulong tag = Tags[entry];
        _live[Tag.SizeAndSpace(tag)]--;
        if (_unbounded != null)
            _unbounded->Leave(Tags, entry);
        else if (_used != null)
            _used[entry / Stride]--;
        Tags[entry] = 0;
    }

    /// <summary>Whether an entry holds something that a lookup might still find.</summary>
    public readonly bool IsLive(int entry) => Tags[entry] != 0 && _alive[Tag.Space(Tags[entry])] != 0;

    /// <summary>Takes every live entry out of the counts. All are zero then.</summary>
    public readonly void Uncount()
    {
        for (int entry = 0; entry < Capacity; entry++)
        {
            if (IsLive(entry))
                _live[Tag.SizeAndSpace(Tags[entry])]--;
        }
    }

    /// <summary>Counts every live entry, after <see cref="Uncount"/> and whatever changed the entries since.</summary>
    public readonly void Recount()
    {
        for (int entry = 0; entry < Capacity; entry++)
        {
            if (IsLive(entry))
                _live[Tag.SizeAndSpace(Tags[entry])]++;
        }
    }

    /// <summary>One past the last entry that may be live: the bound of a scan.</summary>
    public readonly int ScanEnd => _unbounded != null ? _unbounded->Top : (int)Capacity;

    /// <summary>How many live entries of a space there are.</summary>
    public readonly uint Live(uint space)
    {
        uint live = 0;
        for (uint size = 0; size < 4; size++)
            live += _live[(size << 13) | space];
        return live;
    }

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
            else if (_used != null)
                _used[entry / Stride]--;
            Tags[entry] = 0;
        }

        _dead = 0;
    }

    /// <summary><see cref="Place"/> in a skewed array: a free way of those that the page may be in, else the victim among them.</summary>
    public int PlaceSkewed(ulong pageNumber, out bool isEviction)
    {
        isEviction = false;
        for (int way = 0; way < Ways; way++)
        {
            int entry = _skew->EntryOf(pageNumber, way);
            if (Tags[entry] != 0 && _alive[Tag.Space(Tags[entry])] != 0)
                continue;
            if (Tags[entry] != 0)
                _dead--;
            return entry;
        }

        isEviction = true;
        return Replacement.Victim(*_skew, pageNumber);
    }

    /// <summary>Writes the entries and the order in which they are replaced. Of dead entries only that they take a way.</summary>
    /// <param name="writer">The state.</param>
    /// <param name="addressMask">The bits of a data word that are a host-physical address.</param>
    public readonly void Save(StateWriter writer, ulong addressMask)
    {
        writer.WriteArray<ulong>(new ReadOnlySpan<ulong>(Tags, (int)Capacity));
        for (int entry = 0; entry < Capacity; entry++)
        {
            if (IsLive(entry))
                writer.Write(writer.Named(Data[entry], addressMask));
        }

        if (_unbounded != null)
            _unbounded->Save(writer);
        else
            Replacement.Save(writer);
    }

    /// <summary>Reads them back into an array that held nothing yet. The spaces are known already.</summary>
    public void Load(StateReader reader, Arena arena, ulong addressMask)
    {
        if (_unbounded != null)
        {
            ulong[] tags = reader.ReadArray<ulong>("tags", int.MaxValue);
            while (Capacity < tags.Length)
                Grow(arena);
            if (tags.Length != Capacity)
                throw reader.Refuse("tags", $"are {tags.Length}, which an array never has room for");
            tags.CopyTo(new Span<ulong>(Tags, (int)Capacity));
        }
        else
        {
            reader.ReadArray("tags", new Span<ulong>(Tags, (int)Capacity));
        }

        for (int entry = 0; entry < Capacity; entry++)
        {
            if (Tags[entry] == 0)
                continue;
            if ((Tags[entry] & 1) == 0 || Tag.Space(Tags[entry]) == 0 || !MayHold(entry))
                throw reader.Refuse("tags", $"has one that cannot be in entry {entry}");
            if (_used != null)
                _used[entry / Stride]++;
            if (!IsLive(entry))
            {
                _dead++;
                continue;
            }

            _live[Tag.SizeAndSpace(Tags[entry])]++;
            Data[entry] = reader.Resolved("data", reader.ReadUInt64("data"), addressMask);
        }

        if (_unbounded != null)
            _unbounded->Load(reader, Tags);
        else
            Replacement.Load(reader);
    }

    // Whether the tag in an entry is one that is looked for there.
    private readonly bool MayHold(int entry)
    {
        if (_unbounded != null)
            return true;
        int way = entry % Stride;
        ulong page = Tag.PageNumber(Tags[entry]);
        return way < Ways && (_skew != null ? _skew->EntryOf(page, way) == entry : SetOf(page) == entry / Stride);
    }

    // No power of two, masks, or one set of all entries.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly int OtherSetOf(ulong pageNumber)
    {
        if (_skew != null)
            return 0;
        if (_masks == null)
            return (int)(pageNumber % _modulus);
        int set = 0;
        for (int bit = 0; 1 << bit < Sets; bit++)
            set |= (BitOperations.PopCount(pageNumber & _masks[bit]) & 1) << bit;
        return set;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int PlaceInFreeWay(Arena arena, int set, out bool isEviction)
    {
        isEviction = false;
        if (_unbounded != null)
            return PlaceUnbounded(arena);
        int first = set * Stride;
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
                return first + way;
            }
        }

        // The dead entries are in other sets.
        isEviction = true;
        return first + Replacement.Victim(set);
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
            Grow(arena);
        return _unbounded->Take();
    }

    private void Grow(Arena arena)
    {
        long capacity = Capacity;
        Capacity = _unbounded->Grow(arena, Tags);
        Tags = arena.Grow(Tags, capacity, Capacity);
        Data = arena.Grow(Data, capacity, Capacity);
    }
}
