using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Where a lookup found an entry.</summary>
internal unsafe struct TlbHit
{
    public TlbLane* Lane;
    public int Entry;
    public int Set;

    /// <summary>The entry's data word.</summary>
    public readonly ulong Data => Lane->Array->Entries.Data[Entry];

    /// <summary>The entry's tag word.</summary>
    public readonly ulong Tag => Lane->Array->Entries.Tags[Entry];

    /// <summary>Whether another hit of the entry would change nothing.</summary>
    public readonly bool IsSettled => Lane->Recent == null || Lane->Recent[Set] == Entry;
}

/// <summary>One level of the TLB for one kind of access: its arrays, and what is counted for the level as a whole.</summary>
/// <remarks>
/// A lookup probes every page size, the smaller first, so that of two entries that cover an address always the same one answers;
/// coalesced entries come behind those of one small page. Where several arrays hold the same size, the page number chooses one of them.
/// </remarks>
internal sealed unsafe partial class TlbLevel
{
    private const int PageSizeCount = 3;

    private readonly Arena _arena;
    private readonly FilterKeeper _filter;
    private readonly TlbArray*[] _arrays;
    private readonly int* _held;

    // Where a lookup of a page size begins: the lane of the one array that holds it, or one that is empty, or one that sends the
    // lookup to the choices.
    private readonly TlbLane* _door4K;
    private readonly TlbLane* _door2M;
    private readonly TlbLane* _door1G;
    private readonly TlbLane* _doorGroup;
    private readonly TlbArray** _choices;
    private readonly int* _choiceCounts;
    private readonly Totals _totals;

    // Pages of a coalesced entry; more than there ever are where the level has none.
    private readonly int _groupPages = int.MaxValue;

    // Of an inclusive level: those that hold nothing that it does not hold.
    private TlbLevel[] _included = [];

    // Whether somebody wants to know what is evicted.
    private bool _tellsEvictions;

    /// <summary>Builds the level with its arrays.</summary>
    /// <param name="arena">Where its arrays live.</param>
    /// <param name="filter">Who is told when an entry changes.</param>
    /// <param name="pool">The spaces of its tags.</param>
    /// <param name="configuration">Its arrays; none for a level that does not exist.</param>
    /// <param name="firstOrdinal">The ordinal of its first array.</param>
    /// <param name="service">Whether the filter serves this level.</param>
    /// <param name="seed">For random replacement.</param>
    public TlbLevel(Arena arena, FilterKeeper filter, TagPool pool, TlbLevelConfiguration configuration, int firstOrdinal, FilterService service, ulong seed)
        : this(arena, filter, Build(arena, pool, configuration, firstOrdinal, service, seed), new Totals())
    {
    }

    private TlbLevel(Arena arena, FilterKeeper filter, TlbArray*[] arrays, Totals totals)
    {
        _arena = arena;
        _filter = filter;
        _totals = totals;
        int count = arrays.Length;
        _arrays = arrays;
        _choices = (TlbArray**)arena.Allocate<nint>(TlbArray.LaneCount * Math.Max(1, count));
        _choiceCounts = arena.Allocate<int>(TlbArray.LaneCount);
        _held = arena.Allocate<int>(PageSizeCount);
        for (int i = 0; i < count; i++)
        {
            for (int size = 0; size < TlbArray.LaneCount; size++)
            {
                if (_arrays[i]->Lane(size) != null)
                    _choices[(size * count) + _choiceCounts[size]++] = _arrays[i];
            }
        }

        for (int size = 0, largest = -1; size < PageSizeCount; size++)
        {
            if (_choiceCounts[size] != 0)
                largest = size;
            _held[size] = largest;
        }

        Below = this;
        _door4K = BuildDoor(0);
        _door2M = BuildDoor(1);
        _door1G = BuildDoor(2);
        _doorGroup = BuildDoor((int)Tag.Group);
        if (_choiceCounts[(int)Tag.Group] != 0)
            _groupPages = _doorGroup->Pages;
    }

    /// <summary>Whether the machine has this level.</summary>
    public bool Exists => _arrays.Length != 0;

    /// <summary>The arrays, as configured.</summary>
    public int ArrayCount => _arrays.Length;

    /// <summary>The level that is asked where this one misses. Itself of a second level.</summary>
    public TlbLevel Below { get; private set; }

    /// <summary>Lookups of accesses that failed.</summary>
    public ulong Unresolved
    {
        get => _totals.Unresolved;
        set => _totals.Unresolved = value;
    }

    /// <summary>Counts up whenever an entry was evicted or invalidated.</summary>
    public ulong Changes { get; private set; }

    /// <summary>Misses whose translation the level holds in no size, by page size.</summary>
    public ulong[] Unheld => _totals.Unheld;

    /// <summary>Lookups that the level answered, those of the filter left out.</summary>
    public ulong Hits
    {
        get
        {
            ulong hits = 0;
            foreach (TlbArray* array in _arrays)
            {
                for (int size = 0; size < TlbArray.LaneCount; size++)
                    hits += array->Lane(size) == null ? 0 : array->Lane(size)->Hits;
            }

            return hits;
        }
    }

    /// <summary>Lookups that the level did not answer.</summary>
    public ulong Misses
    {
        get
        {
            ulong misses = Unresolved + Unheld[0] + Unheld[1] + Unheld[2];
            foreach (TlbArray* array in _arrays)
            {
                for (int size = 0; size < TlbArray.LaneCount; size++)
                    misses += array->Lane(size) == null ? 0 : array->Lane(size)->Misses;
            }

            return misses;
        }
    }

    /// <summary>The lane at which a lookup of a 4 KiB page begins. Its stride is 0 where that takes <see cref="TryFindElsewhere"/>.</summary>
    public TlbLane* Door => _door4K;

    /// <summary>Whether what the levels above evict comes here, and what they take from here leaves.</summary>
    public bool IsExclusive { get; private set; }

    /// <summary>Whether the levels above hold nothing that is not here.</summary>
    public bool IsInclusive => _included.Length != 0;

    /// <summary>Puts a level below this one.</summary>
    /// <param name="below">The level.</param>
    /// <param name="inclusion">How its contents stand to this one's.</param>
    public void PutAbove(TlbLevel below, Inclusion? inclusion)
    {
        Below = below;
        if (inclusion == Inclusion.Inclusive)
        {
            below._included = [.. below._included, this];
            below._tellsEvictions = true;
        }
        else if (inclusion == Inclusion.Exclusive)
        {
            below.IsExclusive = true;
            _tellsEvictions = true;
        }
    }

    /// <summary>The part of the level that some accesses see: some of its arrays. What belongs to no array is counted for the whole.</summary>
    /// <param name="isSeen">For each array whether it is in the part.</param>
    public TlbLevel Part(Predicate<int> isSeen)
    {
        int[] seen = [.. Enumerable.Range(0, _arrays.Length).Where(i => isSeen(i))];
        var arrays = new TlbArray*[seen.Length];
        for (int i = 0; i < seen.Length; i++)
            arrays[i] = _arrays[seen[i]];
        return new TlbLevel(_arena, _filter, arrays, _totals) { Below = Below, _tellsEvictions = _tellsEvictions };
    }

    /// <summary>One of the arrays.</summary>
    public TlbArray* Array(int index) => _arrays[index];

    /// <summary>What a translation is held as: <see cref="Tag.Group"/>, or the largest page size that is no larger than its own; -1 where it is not held.</summary>
    /// <param name="size">Its page size.</param>
    /// <param name="pages">How many pages around it one entry may stand for (<see cref="WalkResult.Pages"/>).</param>
    public int Held(PageSize size, int pages) => pages >= _groupPages ? (int)Tag.Group : _held[(int)size];

    /// <summary>Whether the entries of a lane of another level can be held as they are.</summary>
    public bool HoldsAsIs(TlbLane* lane) => lane->Pages > 1 ? lane->Pages == _groupPages : _held[(int)lane->Size] == (int)lane->Size;

    /// <summary>Pages of a coalesced entry of the level; 1 where it has none.</summary>
    public int CoalescedPages => _groupPages == int.MaxValue ? 1 : _groupPages;

    /// <summary>Looks an address up without leaving a trace.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="space">The space of the current PCID.</param>
    /// <param name="global">The space of global entries; the same as <paramref name="space"/> where they do not count.</param>
    /// <param name="hit">Where it was found.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFind(ulong address, uint space, uint global, out TlbHit hit)
    {
        // Most pages are small; the other sizes are worth a call.
        TlbLane* lane = _door4K;
        if (lane->Resident != 0 && lane->Stride != 0)
        {
            ulong page = Tag.PageNumber(address, PageSize.Size4K);
            int set = (int)((page ^ (page >> lane->HashShift)) & lane->SetMask);
            int entry = AssociativeArray.FindInSet(
                lane->Tags, set * lane->Stride, lane->Stride, Tag.Make(space, PageSize.Size4K, page), Tag.Make(global, PageSize.Size4K, page));
            if (entry >= 0)
            {
                hit.Lane = lane;
                hit.Entry = entry;
                hit.Set = set;
                return true;
            }
        }

        hit = default;
        return MayBeElsewhere && TryFindElsewhere(address, space, global, out hit);
    }

    /// <summary>Whether <see cref="TryFindElsewhere"/> may find anything.</summary>
    public bool MayBeElsewhere
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (_door2M->Resident | _door1G->Resident | _doorGroup->Resident) != 0 || (_door4K->Stride == 0 && _door4K->Resident != 0);
    }

    /// <summary>Looks an address up where <see cref="TryFind"/> does not look first: other page sizes than 4 KiB, and arrays whose sets
    /// are not found by shift and mask. Leaves no trace.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool TryFindElsewhere(ulong address, uint space, uint global, out TlbHit hit)
    {
        return (_door4K->Stride == 0 && TryFind(_door4K, PageSize.Size4K, address, space, global, out hit))
            || TryFind(_doorGroup, Tag.Group, address, space, global, out hit)
            || TryFind(_door2M, PageSize.Size2M, address, space, global, out hit)
            || TryFind(_door1G, PageSize.Size1G, address, space, global, out hit);
    }

    /// <summary>An entry answered: the replacement state learns of it, and the filter forgets the entry that was the most recent of the set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Touch(FilterKeeper filter, TlbLane* lane, int entry, int set)
    {
        if (lane->Recent == null)
            return;
        int recent = lane->Recent[set];
        // Touching the most recent entry again changes nothing (ReplacementState).
        if (recent == entry)
            return;
        lane->Recent[set] = entry;
        AssociativeArray* entries = &lane->Array->Entries;
        entries->Replacement.Touch(set, entry - (set * entries->Stride));
        if (recent >= 0 && lane->SlotTables != null)
            filter.KillServed(lane, recent);
    }

    /// <summary>Inserts a translation, as a fragment where the level does not hold its size.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="space">The space of the entry: that of the PCID or the global one.</param>
    /// <param name="size">What it is held as (<see cref="Held"/>).</param>
    /// <param name="host">The host-physical address of <paramref name="address"/>.</param>
    /// <param name="flags">The rest of the data word.</param>
    /// <param name="hit">The new entry.</param>
    public void Insert(ulong address, uint space, PageSize size, ulong host, ulong flags, out TlbHit hit)
    {
        TlbLane* lane = DoorOf(size);
        ulong page = Tag.PageNumber(address, lane->Shift);
        if (lane->Array == null)
            lane = Choose((int)size, page);
        TlbArray* array = lane->Array;
        AssociativeArray* entries = &array->Entries;
        int set = entries->SetOf(page);
        bool isEviction;
        int entry = entries->IsSkewed ? entries->PlaceSkewed(page, out isEviction) : entries->Place(_arena, set, out isEviction);
        if (array->SideCapacity < entries->Capacity)
            array->GrowSides(_arena);
        _filter.Kill(array, entry);
        bool isFragment = size < TlbEntry.GuestSize(flags);
        if (array->Fragments != 0 || isFragment)
            array->CountFragments(entry, isFragment);
        if (isFragment)
            array->NoteFragmentOf(address, space, TlbEntry.GuestSize(flags));
        lane->Fills++;
        lane->Resident++;
        if (isEviction)
        {
            TlbLane* evicted = array->Lane((int)Tag.Size(entries->Tags[entry]));
            evicted->Evictions++;
            evicted->Resident--;
            Changes++;
            if (_tellsEvictions)
                TellEviction(evicted, entries->Tags[entry], entries->Data[entry]);
        }

        entries->Write(entry, Tag.Make(space, size, page), DataWord(host, lane, flags), isEviction);
        hit.Lane = lane;
        hit.Entry = entry;
        hit.Set = set;
        if (entries->IsUnbounded)
            return;
        entries->Replacement.Fill(set, entry - (set * entries->Stride));
        int* recents = array->Recent;
        if (recents == null)
            return;
        int recent = recents[set];
        recents[set] = entries->Replacement.FillsAreHits ? entry : -1;
        if (recent >= 0 && recent != entry)
            _filter.Kill(array, recent);
    }

    /// <summary>Gives an entry what a new walk found, in place: neither fill nor eviction.</summary>
    public void Update(in TlbHit hit, ulong host, ulong flags)
    {
        TlbArray* array = hit.Lane->Array;
        _filter.Kill(array, hit.Entry);
        bool isFragment = hit.Lane->Size < TlbEntry.GuestSize(flags);
        array->CountFragments(hit.Entry, isFragment);
        if (isFragment)
            array->NoteFragment(array->Entries.Tags[hit.Entry], TlbEntry.GuestSize(flags));
        array->Entries.Data[hit.Entry] = DataWord(host, hit.Lane, flags);
        Touch(_filter, hit.Lane, hit.Entry, hit.Set);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong DataWord(ulong host, TlbLane* lane, ulong flags) => (host & TlbEntry.FrameMask & ~lane->OffsetMask) | flags;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TlbLane* DoorOf(PageSize size) =>
        size == PageSize.Size4K ? _door4K : size == PageSize.Size2M ? _door2M : size == PageSize.Size1G ? _door1G : _doorGroup;

    private bool TryFind(TlbLane* lane, PageSize size, ulong address, uint space, uint global, out TlbHit hit)
    {
        Unsafe.SkipInit(out hit);
        if (lane->Resident == 0)
            return false;
        ulong page = Tag.PageNumber(address, lane->Shift);
        if (lane->Array == null)
            lane = Choose((int)size, page);
        AssociativeArray* entries = &lane->Array->Entries;
        int set = entries->SetOf(page);
        hit.Lane = lane;
        hit.Set = set;
        hit.Entry = entries->Find(set, Tag.Make(space, size, page), Tag.Make(global, size, page));
        return hit.Entry >= 0;
    }

    // Which of several arrays for one size: bits above those that index a set, so that each array sees whole runs of sets.
    private TlbLane* Choose(int size, ulong page)
    {
        TlbArray** arrays = _choices + ((long)size * _arrays.Length);
        int sets = Math.Max(1, arrays[0]->Entries.Sets);
        return arrays[(int)(page / (uint)sets % (uint)_choiceCounts[size])]->Lane(size);
    }

    private static TlbArray*[] Build(Arena arena, TagPool pool, TlbLevelConfiguration configuration, int firstOrdinal, FilterService service, ulong seed)
    {
        Geometry.Check(configuration);
        var arrays = new TlbArray*[configuration.Arrays.Count];
        for (int i = 0; i < arrays.Length; i++)
            arrays[i] = TlbArray.Build(arena, pool, configuration.Arrays[i], firstOrdinal + i, service, seed + (ulong)i);
        return arrays;
    }

    private TlbLane* BuildDoor(int size)
    {
        if (_choiceCounts[size] == 1)
            return _choices[size * _arrays.Length]->Lane(size);
        TlbLane* door = _arena.Allocate<TlbLane>(1);
        if (size < PageSizeCount)
            door->Cover((PageSize)size, pages: 1);
        else if (_choiceCounts[size] != 0)
            door->Cover(PageSize.Size4K, _choices[size * _arrays.Length]->LaneGroup->Pages);
        // No array: nothing is ever resident. Several: somebody may be, and the page number says where.
        door->Resident = _choiceCounts[size];
        return door;
    }

    // What is counted of a level and belongs to none of its arrays: the same for all its parts.
    private sealed class Totals
    {
        public ulong Unresolved;
        public readonly ulong[] Unheld = new ulong[PageSizeCount];
    }
}
