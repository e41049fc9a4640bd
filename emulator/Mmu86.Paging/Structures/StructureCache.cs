using System.Runtime.CompilerServices;
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
    public const ulong TableWritable = 1UL << 3;

    private AssociativeArray _entries;
    private ulong* _guestTables;
    private ulong* _sources;
    private int* _resident;

    public ulong Hits;
    public ulong Misses;

    /// <summary>Whether the machine has this cache.</summary>
    public bool Exists { get; private set; }

    /// <summary>Builds the cache.</summary>
    public void Initialize(Arena arena, TagPool pool, StructureCacheConfiguration configuration, ulong seed)
    {
        if (configuration.Entries == 0)
            return;
        Exists = true;
        _entries.Initialize(arena, pool, configuration.Entries / configuration.Ways, configuration.Ways, IndexHash.Linear, configuration.Replacement, seed);
        _guestTables = arena.Allocate<ulong>(_entries.Capacity);
        _sources = arena.Allocate<ulong>(_entries.Capacity);
        _resident = arena.Allocate<int>(3);
    }

    /// <summary>Looks a page number up without leaving a trace: -1 where it is absent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int Find(uint space, PageSize size, ulong page)
    {
        ulong tag = Tag.Make(space, size, page);
        return _entries.Find(_entries.SetOf(page), tag, tag);
    }

    /// <summary>Whether any entry of a page size may be present.</summary>
    public readonly bool MayHold(PageSize size) => _resident[(int)size] != 0;

    /// <summary>An entry was used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Touch(int entry)
    {
        int set = entry / _entries.Stride;
        _entries.Replacement.Touch(set, entry - (set * _entries.Stride));
    }

    /// <summary>The data word of an entry.</summary>
    public readonly ulong Data(int entry) => _entries.Data[entry];

    /// <summary>The guest-physical address of the table that an entry points to; 0 where EPT is off.</summary>
    public readonly ulong GuestTable(int entry) => _guestTables[entry];

    /// <summary>The host-physical address that the entry was read from.</summary>
    public readonly ulong Source(int entry) => _sources[entry];

    /// <summary>Inserts an entry, or replaces the one with the same tag.</summary>
    public void Fill(Arena arena, uint space, PageSize size, ulong page, ulong data, ulong guestTable, ulong source)
    {
        int set = _entries.SetOf(page);
        ulong tag = Tag.Make(space, size, page);
        int entry = _entries.Find(set, tag, tag);
        if (entry >= 0)
        {
            _entries.Data[entry] = data;
        }
        else
        {
            entry = _entries.Place(arena, set, out ulong displaced, out bool isEviction);
            if (isEviction)
                _resident[(int)Tag.Size(displaced)]--;
            _resident[(int)size]++;
            _entries.Write(entry, tag, data);
        }

        _guestTables[entry] = guestTable;
        _sources[entry] = source;
        _entries.Replacement.Fill(set, entry - (set * _entries.Stride));
    }

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

        return total;
    }

    /// <summary>Empties the ways of dead entries.</summary>
    public void Sweep()
    {
        if (Exists)
            _entries.Sweep();
    }
}
