namespace Mmu86.Paging;

/// <summary>How the walker's loop ended.</summary>
internal enum DescentEnd
{
    /// <summary>At an entry that maps a page.</summary>
    Mapped,

    /// <summary>At an entry that is not present.</summary>
    NotPresent,

    /// <summary>At a present entry with reserved bits set, or (EPT) one that is malformed.</summary>
    Malformed,

    /// <summary>EPT refused the access to a guest table.</summary>
    Refused,

    /// <summary>What was cached of a table no longer holds: walk again without paging-structure caches.</summary>
    Stale,

    /// <summary>At an entry of hypervisor-managed tables that sends the walk back to CR3.</summary>
    Restarted,
}

/// <summary>One dimension's run of the walker's loop: what it is given, and where it arrived.</summary>
/// <remarks>There is one for the guest's tables and one for EPT, in unmanaged memory: what the context decides stays in place between walks.</remarks>
internal unsafe struct Descent
{
    public TableLayout* Layout;

    /// <summary>The structure cache of the lowest level that has one, which knows the next; null where there is none.</summary>
    public StructureCache* LowestCache;

    /// <summary>The address of the top table: host-physical, or guest-physical for <see cref="GuestTables"/>.</summary>
    public ulong Root;

    /// <summary>The accessed flag, or 0 where the walk sets none.</summary>
    public ulong AccessedFlag;

    /// <summary>The tag of its structure-cache entries.</summary>
    public uint Space;

    /// <summary>Whether structure caches may answer.</summary>
    public bool UsesCaches;

    /// <summary>The address to translate, as the structure caches are given it (<see cref="ITableFormat.Prefixed"/>).</summary>
    public ulong Address;

    /// <summary>The level of the last entry read.</summary>
    public int Level;

    /// <summary>The level of the first entry read: those above it came from a cache.</summary>
    public int StartLevel;

    /// <summary>The last entry read.</summary>
    public ulong Entry;

    /// <summary>Where it lies in host memory.</summary>
    public ulong EntryHost;

    /// <summary>Where the guest believes it to lie.</summary>
    public ulong EntryGuest;

    /// <summary>Whether EPT permits writes to the table that holds the last entry.</summary>
    public bool IsTableWritable;

    /// <summary>The position of the last entry in the recorder.</summary>
    public int Step;

    // What the cache of each level will hold if the walk ends in a translation: data, guest table, source.
    private fixed ulong _notes[3 * TableLayout.MaximumLevels];

    /// <summary>Notes what the cache of a level will hold if the walk ends in a translation.</summary>
    public void Note(int level, ulong data, ulong guestTable, ulong source)
    {
        _notes[3 * level] = data;
        _notes[(3 * level) + 1] = guestTable;
        _notes[(3 * level) + 2] = source;
    }

    /// <summary>Fills the caches of the levels that were walked through.</summary>
    public void FillCaches(Arena arena)
    {
        for (StructureCache* cache = LowestCache; cache != null; cache = cache->Above)
        {
            int level = cache->Level;
            if (level > Level && level <= StartLevel)
                cache->FillPrefix(arena, Space, Address, _notes[3 * level], _notes[(3 * level) + 1], _notes[(3 * level) + 2]);
        }
    }
}
