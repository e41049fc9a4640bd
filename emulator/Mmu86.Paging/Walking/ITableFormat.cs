namespace Mmu86.Paging;

/// <summary>What the walker must know of a format beyond its <see cref="TableLayout"/>.</summary>
internal interface ITableFormat
{
    /// <summary>Whose tables these are.</summary>
    static abstract WalkDimension Dimension { get; }

    /// <summary>How many bits of the address select an entry of a table.</summary>
    static abstract int IndexBits { get; }

    /// <summary>The size of an entry, which is read and written as a whole.</summary>
    static abstract int EntryBytes { get; }

    /// <summary>An entry is present if one of these bits is set.</summary>
    static abstract ulong PresentMask { get; }

    /// <summary>The bits that carry rights, in entries and in structure caches.</summary>
    static abstract ulong RightsMask { get; }

    /// <summary>Whether an entry may send the walk back to begin again with the tables of CR3: hypervisor-managed tables.</summary>
    static abstract bool MayRestart { get; }

    /// <summary>An entry with its rights such that those of a walk are the AND over its levels: what denies is inverted. Other bits stay.</summary>
    static abstract ulong Granted(ulong entry, bool mapsPage);

    /// <summary>The accessed flag.</summary>
    static abstract ulong Accessed { get; }

    /// <summary>Whether a present entry without reserved bits is malformed nevertheless.</summary>
    static abstract bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage);

    /// <summary>An address as the structure caches are given it: what lies above bit 12 + 9 × (level - 1) selects an entry of a level.</summary>
    static abstract ulong Prefixed(ulong address);
}
