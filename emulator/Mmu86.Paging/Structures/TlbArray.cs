namespace Mmu86.Paging;

/// <summary>One TLB array: entries, lanes by page size, and what the filter derived from it.</summary>
internal unsafe struct TlbArray
{
    public AssociativeArray Entries;

    /// <summary>Of each set, the entry touched last; -1 before the first. Null where hits leave no trace.</summary>
    public int* Recent;

    /// <summary>Of each entry, the filter tables in which it may have slots: bit n is table n. Null for arrays that the filter does not serve.</summary>
    public byte* SlotTables;

    /// <summary>Of each entry 256 bits, the slot indices in which it may have slots. Null where all entries are 4 KiB, and where nothing is evicted.</summary>
    public ulong* SlotIndices;

    /// <summary>The lane of each page size; null for sizes not held.</summary>
    public TlbLane* Lane4K;
    public TlbLane* Lane2M;
    public TlbLane* Lane1G;

    /// <summary>An upper bound of the entries smaller than their guest page. While it is not 0, INVLPG must look for all fragments of a page.</summary>
    public long Fragments;

    /// <summary>Position among all arrays: with the entry's index it is the entry's identity.</summary>
    public int Ordinal;

    /// <summary>Entries that <see cref="SlotTables"/> has room for.</summary>
    public long SlotTablesCapacity;

    /// <summary>The lane of a page size, or null.</summary>
    public readonly TlbLane* Lane(int size) => size switch { 0 => Lane4K, 1 => Lane2M, _ => Lane1G };
}
