using System.Runtime.CompilerServices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>A cache of partial walks: paging-structure entries of one level, or (nested TLB) guest-physical pages.</summary>
/// <remarks>
/// The data word of a paging-structure entry is the host-physical address of the next table with the rights of all levels so far
/// in the places where entries have them; bit <see cref="TableWritable"/> says whether EPT permits writes to that table. In the
/// nested TLB it is the EPT entry that maps the page, with the rights of all levels.
/// </remarks>
internal unsafe struct StructureCache
{
    /// <summary>Whether EPT permits writes to the table that the entry points to.</summary>
    public const ulong TableWritable = 1UL << 5;

    /// <summary>PWT and PCD of the entry itself, where entries have them: they type the memory of the table that it points to.</summary>
    public const ulong OwnAttributes = PagingEntry.PageWriteThrough | PagingEntry.PageCacheDisable;

    private const int UnusedAddressBits = 64 - 57;

    private AssociativeArray _entries;
    private ulong* _guestTables;
    private ulong* _sources;

    // Of each low byte of a page number, an entry that it was found in.
    private int* _hints;

    // Live entries by page size.
    private fixed int _resident[3];

    public ulong Hits;
    public ulong Misses;

    private int _prefixShift;

    /// <summary>The level of the entries that it holds; 0 of the nested TLB.</summary>
    public int Level
    {
        readonly get;
        set
        {
            field = value;
            _prefixShift = UnusedAddressBits + 3 + (9 * value);
        }
    }

    /// <summary>The next cache that the machine has above this one, or null.</summary>
    public StructureCache* Above;

    /// <summary>Whether the machine has this cache.</summary>
    public bool Exists { get; private set; }

    /// <summary>Builds the cache.</summary>
    public void Initialize(Arena arena, Arena counts, TagPool pool, StructureCacheConfiguration configuration, ulong seed)
    {
        if (configuration.Entries == 0)
            return;
        Exists = true;
        _entries.Initialize(arena, counts, pool, configuration.Entries / configuration.Ways, configuration.Ways, configuration.Hash ?? IndexHash.Linear, configuration.Replacement, seed);
        _guestTables = arena.Allocate<ulong>(_entries.Capacity);
        _sources = arena.Allocate<ulong>(_entries.Capacity);
        _hints = arena.Allocate<int>(256);
    }

    /// <summary>Looks up the entry that a walk to an address would meet at this level.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int FindPrefix(uint space, ulong address) => Find(space, PageSize.Size4K, Prefix(address));

    /// <summary>Looks a page number up without leaving a trace.</summary>
    /// <param name="space">The space of the entry.</param>
    /// <param name="size">Its page size, in the nested TLB; else 4 KiB.</param>
    /// <param name="page">The page number.</param>
    /// <returns>The entry, or -1.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int Find(uint space, PageSize size, ulong page)
    {
        ulong tag = Tag.Make(space, size, page);
        // A tag is in one place at most, so where it was last is where it is, or it is looked for. Its set is nobody's business till then.
        int hint = _hints[(byte)page];
        return _entries.Tags[hint] == tag ? hint : Search(tag);
    }

    /// <summary>Looks a page number up where its entry was last, and nowhere else; of a cache that does not exist, -1.</summary>
    /// <param name="space">The space of the entry.</param>
    /// <param name="size">Its page size.</param>
    /// <param name="page">The page number.</param>
    /// <returns>The entry, or -1 where it may be elsewhere.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int FindAtHint(uint space, PageSize size, ulong page)
    {
        if (!Exists)
            return -1;
        int hint = _hints[(byte)page];
        return _entries.Tags[hint] == Tag.Make(space, size, page) ? hint : -1;
    }

    /// <summary>The smallest page size that may be present; 4 KiB where nothing is.</summary>
    public PageSize SmallestHeld { get; private set; }

    /// <summary>Whether any entry of a page size may be present.</summary>
    public readonly bool MayHold(PageSize size) => _resident[(int)size] != 0;

    /// <summary>An entry was used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Touch(int entry)
    {
        // Stamps are numbered as entries are, so LRU, which every processor modelled has here, need not know the set.
        if (!_entries.Replacement.TryStamp(entry))
            TouchOther(entry);
    }

    /// <summary>An entry was used, if that is a matter of a stamp. Else nothing is done: see <see cref="Touch"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTouchStamped(int entry) => _entries.Replacement.TryStamp(entry);

    /// <summary>The data word of an entry.</summary>
    public readonly ulong Data(int entry) => _entries.Data[entry];

    /// <summary>The guest-physical address of the table that an entry points to; 0 where EPT is off.</summary>
    public readonly ulong GuestTable(int entry) => _guestTables[entry];

    /// <summary>The host-physical address that the entry was read from.</summary>
    public readonly ulong Source(int entry) => _sources[entry];

    /// <summary>Inserts an entry, or replaces the one with the same tag.</summary>
    public void Fill(Arena arena, uint space, PageSize size, ulong page, ulong data, ulong guestTable, ulong source)
    {
        ulong tag = Tag.Make(space, size, page);
        int set = _entries.SetOf(page);
        int entry = Find(space, size, page);
        if (entry >= 0)
        {
            _entries.Data[entry] = data;
        }
        else
        {
            entry = _entries.Place(arena, set, out bool isEviction);
            if (isEviction)
                _resident[(int)Tag.Size(_entries.Tags[entry])]--;
            _resident[(int)size]++;
            NoteSmallest();
            _entries.Write(entry, tag, data, isEviction);
        }

        _guestTables[entry] = guestTable;
        _sources[entry] = source;
        _entries.Replacement.Fill(set, entry - (set * _entries.Stride));
    }

    /// <summary>Inserts the entry that a walk to an address met at this level.</summary>
    public void FillPrefix(Arena arena, uint space, ulong address, ulong data, ulong guestTable, ulong source) =>
        Fill(arena, space, PageSize.Size4K, Prefix(address), data, guestTable, source);

    /// <summary>Drops the entry that would serve an address.</summary>
    public void RemovePrefix(uint space, ulong address) => Remove(space, PageSize.Size4K, Prefix(address));

    /// <summary>Drops the entry of a page number, if there is one.</summary>
    public void Remove(uint space, PageSize size, ulong page)
    {
        if (!Exists)
            return;
        int entry = Find(space, size, page);
        if (entry < 0)
            return;
        _entries.Remove(entry);
        _resident[(int)size]--;
        NoteSmallest();
    }

    /// <summary>A space is to be retired.</summary>
    /// <returns>How many entries die with it.</returns>
    public uint Bury(uint space)
    {
        if (!Exists)
            return 0;
        uint total = 0;
        for (int size = 0; size < 3; size++)
        {
            uint count = _entries.Bury(space, size);
            _resident[size] -= (int)count;
            total += count;
        }

        NoteSmallest();
        return total;
    }

    /// <summary>Empties the ways of dead entries.</summary>
    public void Sweep()
    {
        if (Exists)
            _entries.Sweep();
    }

    /// <summary>Takes its entries out of the counts, which are not put aside, before what was put aside is put back.</summary>
    public readonly void Uncount()
    {
        if (Exists)
            _entries.Uncount();
    }

    /// <summary>Counts its entries again.</summary>
    public readonly void Recount()
    {
        if (Exists)
            _entries.Recount();
    }

    /// <summary>Writes the entries and what was counted. Where an entry was read from is for reports alone.</summary>
    public readonly void Save(StateWriter writer)
    {
        writer.Write(Exists);
        if (!Exists)
            return;
        writer.Write(Hits);
        writer.Write(Misses);
        _entries.Save(writer, PagingEntry.AddressMask);
        for (int entry = 0; entry < _entries.Capacity; entry++)
        {
            if (!_entries.IsLive(entry))
                continue;
            writer.Write(_guestTables[entry]);
            writer.Write(writer.Named(_sources[entry], ulong.MaxValue));
        }
    }

    /// <summary>Reads them back into a cache that held nothing yet.</summary>
    public void Load(StateReader reader, Arena arena)
    {
        if (reader.ReadBoolean("exists") != Exists)
            throw reader.Refuse("exists", "is another than this machine's");
        if (!Exists)
            return;
        Hits = reader.ReadUInt64("hits");
        Misses = reader.ReadUInt64("misses");
        _entries.Load(reader, arena, PagingEntry.AddressMask);
        for (int entry = 0; entry < _entries.Capacity; entry++)
        {
            if (!_entries.IsLive(entry))
                continue;
            PageSize size = Tag.Size(_entries.Tags[entry]);
            if (size > PageSize.Size1G)
                throw reader.Refuse("tags", $"has in entry {entry} a page size that the cache does not hold");
            _resident[(int)size]++;
            _guestTables[entry] = reader.ReadUInt64("guestTable");
            _sources[entry] = reader.Resolved("source", reader.ReadUInt64("source"), ulong.MaxValue);
        }

        NoteSmallest();
    }

    private void NoteSmallest() =>
        SmallestHeld = MayHold(PageSize.Size4K) ? PageSize.Size4K : MayHold(PageSize.Size2M) ? PageSize.Size2M : MayHold(PageSize.Size1G) ? PageSize.Size1G : PageSize.Size4K;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly int Search(ulong tag)
    {
        ulong page = tag >> Tag.PageNumberShift;
        int entry = _entries.FindInSet(_entries.SetOf(page), tag);
        if (entry >= 0)
            _hints[(byte)page] = entry;
        return entry;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void TouchOther(int entry)
    {
        int set = entry / _entries.Stride;
        _entries.Replacement.Touch(set, entry - (set * _entries.Stride));
    }

    // The bits that select the entry: from 56 down to 21 for a PDE, 30 for a PDPTE, 39 for a PML4E, 48 for a PML5E.
    private readonly ulong Prefix(ulong address) => (address << UnusedAddressBits) >> _prefixShift;
}
