using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>One TLB array: entries, lanes by page size, and what the filter derived from it.</summary>
internal unsafe struct TlbArray
{
    public AssociativeArray Entries;

    /// <summary>Of each set, the entry touched last; -1 before the first, and where touching it once more would change something. Null where hits leave no trace.</summary>
    public int* Recent;

    /// <summary>Of each entry, the filter tables in which it may have slots: bit n is table n. Null for arrays that the filter does not serve.</summary>
    public byte* SlotTables;

    /// <summary>How many lanes an array may have: the range of <see cref="Lane"/>.</summary>
    public const int LaneCount = 4;

    // 4096 bits: some for each large page of a gibibyte.
    private const int FragmentPageWords = 64;

    /// <summary>The lane of each page size; null for sizes not held.</summary>
    public TlbLane* Lane4K;
    public TlbLane* Lane2M;
    public TlbLane* Lane1G;

    /// <summary>The lane of coalesced entries; null where the array holds none.</summary>
    public TlbLane* LaneGroup;

    /// <summary>An upper bound of the live entries that are smaller than their guest page. While it is not 0, INVLPG must look for all fragments
    /// of a page.</summary>
    public long Fragments;

    /// <summary>A bit for each guest page of each space that live entries may be fragments of, by a hash. While the bits of an address are clear, INVLPG need
    /// not look: of all the large pages that a kernel maps memory with, hardly any is the one that it invalidates.</summary>
    public ulong* FragmentPages;

    // Entries that were looked at for fragments since the bound was exact, by looks that found none.
    private long _seenInVain;

    /// <summary>Position among all arrays: with the entry's index it is the entry's identity.</summary>
    public int Ordinal;

    /// <summary>Entries that <see cref="SlotTables"/> has room for.</summary>
    public long SideCapacity;

    /// <summary>Builds an empty array.</summary>
    public static TlbArray* Build(Arena arena, TagPool pool, TlbArrayConfiguration configuration, int ordinal, FilterService service, ulong seed)
    {
        Geometry.Check(configuration);
        TlbArray* array = arena.Allocate<TlbArray>(1);
        array->Ordinal = ordinal;
        array->Entries.Initialize(arena, pool, configuration, seed);
        bool isUnbounded = array->Entries.IsUnbounded;
        if (!isUnbounded && !array->Entries.Replacement.IgnoresHits)
        {
            int sets = array->Entries.IsSkewed ? 1 : configuration.Sets;
            array->Recent = arena.Allocate<int>(sets);
            new Span<int>(array->Recent, sets).Fill(-1);
            if (!FilterCoverage.IsSettled(configuration))
                array->Entries.Replacement.Unsettle(array->Recent);
        }

        array->FragmentPages = arena.Allocate<ulong>(FragmentPageWords);
        array->SideCapacity = array->Entries.Capacity;
        if (service == FilterService.Served)
            array->SlotTables = arena.Allocate<byte>(array->Entries.Capacity);
        foreach (string name in configuration.PageSizes)
        {
            PageSize size = Geometry.ParseSize(configuration.Name, name);
            TlbLane* lane = BuildLane(arena, array, size, pages: 1);
            if (size == PageSize.Size4K)
                array->Lane4K = lane;
            else if (size == PageSize.Size2M)
                array->Lane2M = lane;
            else
                array->Lane1G = lane;
        }

        if (configuration.CoalescedPages is { } pages)
            array->LaneGroup = BuildLane(arena, array, PageSize.Size4K, pages);
        return array;
    }

    /// <summary>The lane of a page size, or of coalesced entries (<see cref="Tag.Group"/>); null where the array holds none.</summary>
    public readonly TlbLane* Lane(int size) => size switch { 0 => Lane4K, 1 => Lane2M, 2 => Lane1G, _ => LaneGroup };

    /// <summary>The array grew: so do its side arrays.</summary>
    public void GrowSides(Arena arena)
    {
        if (SlotTables != null)
            SlotTables = arena.Grow(SlotTables, SideCapacity, Entries.Capacity);
        for (int size = 0; size < LaneCount; size++)
        {
            if (Lane(size) != null)
                Lane(size)->SlotTables = SlotTables;
        }

        SideCapacity = Entries.Capacity;
    }

    /// <summary>Writes the entries, which was touched last, and what was counted. What the filter derived is not among it.</summary>
    public readonly void Save(StateWriter writer)
    {
        Entries.Save(writer, TlbEntry.FrameMask);
        writer.WriteArray<int>(Recents);
        for (int size = 0; size < LaneCount; size++)
        {
            if (Lane(size) != null)
                Lane(size)->Save(writer);
        }
    }

    /// <summary>Reads them back into an array that held nothing yet.</summary>
    public void Load(StateReader reader, Arena arena)
    {
        Entries.Load(reader, arena, TlbEntry.FrameMask);
        if (SideCapacity < Entries.Capacity)
            GrowSides(arena);
        Span<int> recents = Recents;
        reader.ReadArray("recent", recents);
        for (int set = 0; set < recents.Length; set++)
        {
            int first = set * Entries.Stride;
            if (recents[set] != -1 && (recents[set] < first || recents[set] >= (Entries.IsSkewed ? Entries.Capacity : first + Entries.Ways)))
                throw reader.Refuse("recent", $"names entry {recents[set]} in set {set}");
        }

        for (int size = 0; size < LaneCount; size++)
        {
            if (Lane(size) != null)
                Lane(size)->Load(reader);
        }

        for (int entry = 0; entry < Entries.ScanEnd; entry++)
        {
            ulong tag = Entries.Tags[entry];
            if (tag == 0)
                continue;
            TlbLane* lane = Lane((int)Tag.Size(tag));
            if (lane == null)
                throw reader.Refuse("tags", $"has in entry {entry} a page size that the array does not hold");
            if (!Entries.IsLive(entry))
                continue;
            if (lane->Pages > 1 && !reader.Addresses.AreUnchanged)
            {
                // Its pages lie one after the other no longer.
                Entries.Remove(entry);
                continue;
            }

            lane->Resident++;
        }

        RecountFragments();
    }

    // SAFETY: as many as Build allocated.
    private readonly Span<int> Recents => new(Recent, Recent == null ? 0 : Entries.IsSkewed ? 1 : Entries.Sets);

    /// <summary>An entry becomes a fragment of a guest page.</summary>
    /// <param name="address">Any address in the page.</param>
    /// <param name="space">The entry's space.</param>
    /// <param name="guest">The page's size.</param>
    public readonly void NoteFragmentOf(ulong address, uint space, PageSize guest)
    {
        int bit = FragmentPageBit(address, space, guest);
        FragmentPages[bit >> 6] |= 1UL << bit;
    }

    /// <summary>The same for the entry of a tag. Not of a <see cref="Tag.Group"/>.</summary>
    public readonly void NoteFragment(ulong tag, PageSize guest) => NoteFragmentOf(Tag.Address(tag), Tag.Space(tag), guest);

    /// <summary>Which guest pages that have an address may have fragments here.</summary>
    /// <returns>Log2 of the largest one's size in bytes; 0 where there are certainly none.</returns>
    public readonly int FragmentsAt(ulong address, uint space)
    {
        if (Fragments <= 0)
            return 0;
        PageSize guest = IsNoted(address, space, PageSize.Size1G) ? PageSize.Size1G
            : IsNoted(address, space, PageSize.Size4M) ? PageSize.Size4M
            : PageSize.Size2M;
        return guest == PageSize.Size2M && !IsNoted(address, space, guest) ? 0 : guest.Shift();
    }

    /// <summary>Fragments were looked for, and there were none. When that has cost as much as making the bound exact does, it is made so.</summary>
    /// <param name="seen">How many entries were looked at.</param>
    public void NoteInVain(long seen)
    {
        _seenInVain += seen;
        if (_seenInVain >= Entries.ScanEnd)
            RecountFragments();
    }

    private void RecountFragments()
    {
        _seenInVain = 0;
        Fragments = 0;
        new Span<ulong>(FragmentPages, FragmentPageWords).Clear();
        int end = Entries.ScanEnd;
        for (int entry = 0; entry < end; entry++)
        {
            PageSize guest = TlbEntry.GuestSize(Entries.Data[entry]);
            if (!Entries.IsLive(entry) || Tag.Size(Entries.Tags[entry]) >= guest)
                continue;
            Fragments++;
            NoteFragment(Entries.Tags[entry], guest);
        }
    }

    private readonly bool IsNoted(ulong address, uint space, PageSize guest)
    {
        int bit = FragmentPageBit(address, space, guest);
        return (FragmentPages[bit >> 6] & (1UL << bit)) != 0;
    }

    // The upper bits of the product, 2 to the power of 64 over the golden ratio as in Knuth's multiplicative hashing. A page number has no bits
    // where the space goes.
    private static int FragmentPageBit(ulong address, uint space, PageSize guest) =>
        (int)((((Tag.PageNumber(address, guest) << 13) | space) * 0x9E37_79B9_7F4A_7C15) >> 52);

    /// <summary>Keeps <see cref="Fragments"/> right where an entry is about to be overwritten or emptied.</summary>
    public void CountFragments(int entry, bool becomesFragment)
    {
        // A group is none: it counts as larger than any page that it could be of. Dead fragments are written off when the bound is made exact. Taking one off here as well would hide a live one.
        if (Entries.IsLive(entry) && Tag.Size(Entries.Tags[entry]) < TlbEntry.GuestSize(Entries.Data[entry]))
            Fragments--;
        if (becomesFragment)
            Fragments++;
    }

    private static TlbLane* BuildLane(Arena arena, TlbArray* array, PageSize size, int pages)
    {
        TlbLane* lane = arena.Allocate<TlbLane>(1);
        lane->Array = array;
        lane->Cover(size, pages);
        lane->Recent = array->Recent;
        lane->SlotTables = array->SlotTables;
        // An unbounded array moves when it grows.
        if (array->Entries.IsUnbounded)
            return lane;
        lane->Tags = array->Entries.Tags;
        lane->Data = array->Entries.Data;
        if (array->Entries.IsPlain)
        {
            lane->SetMask = array->Entries.SetMask;
            lane->HashShift = array->Entries.HashShift;
            lane->Stride = array->Entries.Stride;
        }

        return lane;
    }
}
