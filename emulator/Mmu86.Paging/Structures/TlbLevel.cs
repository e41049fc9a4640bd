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
}

/// <summary>One level of the TLB for one kind of access: its arrays, and what is counted for the level as a whole.</summary>
/// <remarks>
/// A lookup probes every page size, the smaller first, so that of two entries that cover an address always the same one answers.
/// Where several arrays hold the same size, the page number chooses one of them.
/// </remarks>
internal sealed unsafe class TlbLevel
{
    private const int PageSizeCount = 3;

    private readonly Arena _arena;
    private readonly FilterKeeper _filter;
    private readonly TlbArray*[] _arrays;
    private readonly TlbArray** _choices;
    private readonly TlbLane** _lanes;
    private readonly int* _choiceCounts;
    private readonly int* _held;

    /// <summary>Builds the level.</summary>
    /// <param name="arena">Where its arrays live.</param>
    /// <param name="filter">Who is told when an entry changes.</param>
    /// <param name="pool">The spaces of its tags.</param>
    /// <param name="configuration">Its arrays; none for a level that does not exist.</param>
    /// <param name="firstOrdinal">The ordinal of its first array.</param>
    /// <param name="slots">Whether the filter serves this level.</param>
    /// <param name="seed">For random replacement.</param>
    public TlbLevel(Arena arena, FilterKeeper filter, TagPool pool, TlbLevelConfiguration configuration, int firstOrdinal, FilterService slots, ulong seed)
    {
        _arena = arena;
        _filter = filter;
        int count = configuration.Arrays.Count;
        _arrays = new TlbArray*[count];
        _lanes = (TlbLane**)arena.Allocate<nint>(PageSizeCount);
        _choices = (TlbArray**)arena.Allocate<nint>(PageSizeCount * Math.Max(1, count));
        _choiceCounts = arena.Allocate<int>(PageSizeCount);
        _held = arena.Allocate<int>(PageSizeCount);
        for (int i = 0; i < count; i++)
        {
            _arrays[i] = Build(configuration.Arrays[i], pool, firstOrdinal + i, slots, seed + (ulong)i);
            for (int size = 0; size < PageSizeCount; size++)
            {
                if (_arrays[i]->Lane(size) == null)
                    continue;
                if (_lanes[size] == null)
                    _lanes[size] = _arrays[i]->Lane(size);
                _choices[(size * count) + _choiceCounts[size]++] = _arrays[i];
            }
        }

        for (int size = 0, largest = -1; size < PageSizeCount; size++)
        {
            if (_lanes[size] != null)
                largest = size;
            _held[size] = largest;
        }
    }

    /// <summary>Whether the machine has this level.</summary>
    public bool Exists => _arrays.Length != 0;

    /// <summary>The arrays, as configured.</summary>
    public int ArrayCount => _arrays.Length;

    /// <summary>Lookups of accesses that failed.</summary>
    public ulong Unresolved { get; set; }

    /// <summary>Counts up whenever an entry was evicted or invalidated.</summary>
    public ulong Changes { get; private set; }

    /// <summary>Misses whose translation the level holds in no size, by page size.</summary>
    public ulong[] Unheld { get; } = new ulong[PageSizeCount];

    /// <summary>Lookups that the level did not answer.</summary>
    public ulong Misses
    {
        get
        {
            ulong misses = Unresolved + Unheld[0] + Unheld[1] + Unheld[2];
            foreach (TlbArray* array in _arrays)
            {
                for (int size = 0; size < PageSizeCount; size++)
                    misses += array->Lane(size) == null ? 0 : array->Lane(size)->Misses;
            }

            return misses;
        }
    }

    /// <summary>One of the arrays.</summary>
    public TlbArray* Array(int index) => _arrays[index];

    /// <summary>Looks an address up without leaving a trace.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="space">The space of the current PCID.</param>
    /// <param name="global">The space of global entries; the same as <paramref name="space"/> where they do not count.</param>
    /// <param name="hit">Where it was found.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFind(ulong address, uint space, uint global, out TlbHit hit)
    {
        for (int size = 0; size < PageSizeCount; size++)
        {
            TlbLane* lane = _lanes[size];
            if (lane == null)
                continue;
            ulong page = Tag.PageNumber(address, (PageSize)size);
            if (_choiceCounts[size] > 1)
                lane = Choose(size, page);
            if (lane->Resident == 0)
                continue;
            AssociativeArray* entries = &lane->Array->Entries;
            int set = entries->SetOf(page);
            int entry = entries->Find(set, Tag.Make(space, (PageSize)size, page), Tag.Make(global, (PageSize)size, page));
            if (entry >= 0)
            {
                hit.Lane = lane;
                hit.Entry = entry;
                hit.Set = set;
                return true;
            }
        }

        hit = default;
        return false;
    }

    /// <summary>An entry answered: the replacement state learns of it, and the filter forgets the entry that was the most recent of the set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Touch(in TlbHit hit)
    {
        TlbArray* array = hit.Lane->Array;
        if (array->Recent == null)
            return;
        int recent = array->Recent[hit.Set];
        // Touching the most recent entry again changes nothing (ReplacementState).
        if (recent == hit.Entry)
            return;
        array->Recent[hit.Set] = hit.Entry;
        array->Entries.Replacement.Touch(hit.Set, hit.Entry - (hit.Set * array->Entries.Stride));
        if (recent >= 0)
            _filter.Kill(array, recent);
    }

    /// <summary>The largest page size held that is no larger than <paramref name="size"/>, or -1.</summary>
    public int Held(PageSize size) => _held[(int)size];

    /// <summary>Inserts a translation, as a fragment where the level does not hold its size.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="space">The space of the entry: that of the PCID or the global one.</param>
    /// <param name="size">The size held (<see cref="Held"/>).</param>
    /// <param name="host">The host-physical address of <paramref name="address"/>.</param>
    /// <param name="flags">The rest of the data word.</param>
    /// <param name="hit">The new entry.</param>
    public void Insert(ulong address, uint space, PageSize size, ulong host, ulong flags, out TlbHit hit)
    {
        ulong page = Tag.PageNumber(address, size);
        TlbLane* lane = _choiceCounts[(int)size] > 1 ? Choose((int)size, page) : _lanes[(int)size];
        TlbArray* array = lane->Array;
        int set = array->Entries.SetOf(page);
        int entry = array->Entries.Place(_arena, set, out ulong displaced, out bool isEviction);
        if (displaced != 0)
            Displace(array, entry, displaced, isEviction);
        if (array->SlotTables != null && array->SlotTablesCapacity < array->Entries.Capacity)
        {
            array->SlotTables = _arena.Grow(array->SlotTables, array->SlotTablesCapacity, array->Entries.Capacity);
            array->SlotTablesCapacity = array->Entries.Capacity;
        }

        array->Entries.Write(entry, Tag.Make(space, size, page), DataWord(host, size, flags));
        if (size < TlbEntry.GuestSize(flags))
            array->Fragments++;
        lane->Fills++;
        lane->Resident++;
        hit.Lane = lane;
        hit.Entry = entry;
        hit.Set = set;
        if (array->Entries.IsUnbounded)
            return;
        array->Entries.Replacement.Fill(set, entry - (set * array->Entries.Stride));
        if (array->Recent == null)
            return;
        int recent = array->Recent[set];
        array->Recent[set] = entry;
        if (recent >= 0 && recent != entry)
            _filter.Kill(array, recent);
    }

    /// <summary>Gives an entry what a new walk found, in place: neither fill nor eviction.</summary>
    public void Update(in TlbHit hit, ulong host, ulong flags)
    {
        TlbArray* array = hit.Lane->Array;
        _filter.Kill(array, hit.Entry);
        PageSize size = hit.Lane->Size;
        ulong old = array->Entries.Data[hit.Entry];
        if (size < TlbEntry.GuestSize(old))
            array->Fragments--;
        if (size < TlbEntry.GuestSize(flags))
            array->Fragments++;
        array->Entries.Data[hit.Entry] = DataWord(host, size, flags);
        Touch(hit);
    }

    /// <summary>Invalidates one entry.</summary>
    public void Remove(TlbArray* array, int entry)
    {
        ulong tag = array->Entries.Tags[entry];
        TlbLane* lane = array->Lane((int)Tag.Size(tag));
        _filter.Kill(array, entry);
        if (lane->Size < TlbEntry.GuestSize(array->Entries.Data[entry]))
            array->Fragments--;
        array->Entries.Remove(entry);
        lane->Invalidations++;
        lane->Resident--;
        Changes++;
    }

    /// <summary>Invalidates every entry of one space that maps an address, and every other fragment of their guest pages.</summary>
    public void RemovePage(ulong address, uint space)
    {
        for (int size = 0; size < PageSizeCount; size++)
        {
            TlbLane* lane = _lanes[size];
            if (lane == null)
                continue;
            ulong page = Tag.PageNumber(address, (PageSize)size);
            if (_choiceCounts[size] > 1)
                lane = Choose(size, page);
            if (lane->Resident == 0)
                continue;
            ulong tag = Tag.Make(space, (PageSize)size, page);
            int entry = lane->Array->Entries.Find(lane->Array->Entries.SetOf(page), tag, tag);
            if (entry >= 0)
                Remove(lane->Array, entry);
        }

        foreach (TlbArray* array in _arrays)
        {
            if (array->Fragments > 0)
                RemoveFragments(array, address, space);
        }
    }

    /// <summary>A space is to be retired: counts its entries as invalidated. The caller clears the filter where the space was in force.</summary>
    /// <returns>How many entries die with it.</returns>
    public ulong Bury(uint space)
    {
        ulong total = 0;
        foreach (TlbArray* array in _arrays)
        {
            long resident = 0;
            for (int size = 0; size < PageSizeCount; size++)
            {
                TlbLane* lane = array->Lane(size);
                if (lane == null)
                    continue;
                uint count = array->Entries.Bury(space, size);
                lane->Invalidations += count;
                lane->Resident -= count;
                resident += lane->Resident;
                total += count;
            }

            if (resident == 0)
                array->Fragments = 0;
        }

        if (total != 0)
            Changes++;
        return total;
    }

    /// <summary>Empties the ways of dead entries.</summary>
    public void Sweep()
    {
        foreach (TlbArray* array in _arrays)
            array->Entries.Sweep();
    }

    private static ulong DataWord(ulong host, PageSize size, ulong flags) => (host & TlbEntry.FrameMask & ~size.OffsetMask()) | flags;

    private void Displace(TlbArray* array, int entry, ulong displaced, bool isEviction)
    {
        _filter.Kill(array, entry);
        PageSize size = Tag.Size(displaced);
        if (size < TlbEntry.GuestSize(array->Entries.Data[entry]) && array->Fragments > 0)
            array->Fragments--;
        if (!isEviction)
            return;
        TlbLane* lane = array->Lane((int)size);
        lane->Evictions++;
        lane->Resident--;
        Changes++;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RemoveFragments(TlbArray* array, ulong address, uint space)
    {
        int end = array->Entries.ScanEnd;
        for (int entry = 0; entry < end; entry++)
        {
            ulong tag = array->Entries.Tags[entry];
            if ((tag & 1) == 0 || Tag.Space(tag) != space)
                continue;
            PageSize guest = TlbEntry.GuestSize(array->Entries.Data[entry]);
            if (Tag.Size(tag) < guest && (Tag.Address(tag) ^ address) >> guest.Shift() == 0)
                Remove(array, entry);
        }
    }

    // Which of several arrays for one size: bits above those that index a set, so that each array sees whole runs of sets.
    private TlbLane* Choose(int size, ulong page)
    {
        TlbArray** arrays = _choices + ((long)size * _arrays.Length);
        int sets = Math.Max(1, arrays[0]->Entries.Sets);
        return arrays[(int)(page / (uint)sets % (uint)_choiceCounts[size])]->Lane(size);
    }

    private TlbArray* Build(TlbArrayConfiguration configuration, TagPool pool, int ordinal, FilterService slots, ulong seed)
    {
        Geometry.Check(configuration);
        TlbArray* array = _arena.Allocate<TlbArray>(1);
        array->Ordinal = ordinal;
        array->Entries.Initialize(_arena, pool, configuration.Sets, configuration.Ways, configuration.Hash, configuration.Replacement, seed);
        bool hasLarge = false;
        foreach (string name in configuration.PageSizes)
        {
            PageSize size = Geometry.ParseSize(configuration.Name, name);
            TlbLane* lane = _arena.Allocate<TlbLane>(1);
            lane->Array = array;
            lane->Size = size;
            hasLarge |= size != PageSize.Size4K;
            if (size == PageSize.Size4K)
                array->Lane4K = lane;
            else if (size == PageSize.Size2M)
                array->Lane2M = lane;
            else
                array->Lane1G = lane;
        }

        if (!array->Entries.IsUnbounded && !array->Entries.Replacement.IgnoresHits)
        {
            array->Recent = _arena.Allocate<int>(configuration.Sets);
            new Span<int>(array->Recent, configuration.Sets).Fill(-1);
        }

        if (slots == FilterService.Served)
        {
            array->SlotTablesCapacity = array->Entries.Capacity;
            array->SlotTables = _arena.Allocate<byte>(array->Entries.Capacity);
            if (hasLarge && !array->Entries.IsUnbounded)
                array->SlotIndices = _arena.Allocate<ulong>(array->Entries.Capacity * (TranslationFilter.Slots / 64));
        }

        return array;
    }
}
