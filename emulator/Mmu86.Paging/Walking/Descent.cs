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
}

/// <summary>One run of the walker's loop: what it is given, and where it arrived.</summary>
internal unsafe struct Descent
{
    /// <summary>The address to translate.</summary>
    public ulong Address;

    /// <summary>The address of the top table: host-physical, or guest-physical for <see cref="GuestTables"/>.</summary>
    public ulong Root;

    /// <summary>The tag of its structure-cache entries.</summary>
    public uint Space;

    /// <summary>Whether structure caches may answer.</summary>
    public bool UsesCaches;

    public TableLayout* Layout;

    /// <summary>The structure caches, by level.</summary>
    public StructureCache* Caches;

    /// <summary>The accessed flag, or 0 where the walk sets none.</summary>
    public ulong AccessedFlag;

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

    /// <summary>The AND of all entries, with the denying rights inverted.</summary>
    public ulong Rights;

    /// <summary>Whether EPT permits writes to the table that holds the last entry.</summary>
    public bool IsTableWritable;

    /// <summary>The position of the last entry in the recorder.</summary>
    public int Step;

    private fixed ulong _data[TableLayout.MaximumLevels];
    private fixed ulong _guestTables[TableLayout.MaximumLevels];
    private fixed ulong _sources[TableLayout.MaximumLevels];

    /// <summary>Notes what the cache of a level will hold if the walk ends in a translation.</summary>
    public void Note(int level, ulong data, ulong guestTable, ulong source)
    {
        _data[level] = data;
        _guestTables[level] = guestTable;
        _sources[level] = source;
    }

    /// <summary>Fills the caches of the levels that were walked through.</summary>
    public void FillCaches(Arena arena)
    {
        for (int level = Level + 1; level <= StartLevel; level++)
        {
            StructureCache* cache = Caches + level;
            if (cache->Exists)
                cache->Fill(arena, Space, X86.PageSize.Size4K, Walker.Prefix(Address, level), _data[level], _guestTables[level], _sources[level]);
        }
    }
}
