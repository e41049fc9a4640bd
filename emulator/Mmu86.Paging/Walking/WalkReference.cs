using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Which tables an entry belongs to.</summary>
public enum WalkDimension : byte
{
    /// <summary>The tables that CR3 points to: linear to guest-physical (native: to host-physical).</summary>
    Guest,

    /// <summary>The tables that the EPT pointer points to: guest-physical to host-physical.</summary>
    Ept,
}

/// <summary>Where the content of an entry came from.</summary>
public enum WalkSource : byte
{
    /// <summary>It was read from a table in memory: a reference.</summary>
    Memory,
    Pml5eCache,
    Pml4eCache,
    PdpteCache,
    PdeCache,
    EptPml4eCache,
    EptPdpteCache,
    EptPdeCache,

    /// <summary>The nested TLB gave the host frame of a guest-physical page, and no EPT entry was read.</summary>
    NestedTlb,
}

/// <summary>One step of a walk: an entry read from memory, or a structure cache that answered in place of entries.</summary>
public readonly record struct WalkReference
{
    /// <summary>Whose tables.</summary>
    public required WalkDimension Dimension { get; init; }

    /// <summary>The level of the entry: 5 PML5E, 4 PML4E, 3 PDPTE, 2 PDE, 1 PTE.</summary>
    public required int Level { get; init; }

    /// <summary>Where the entry lies in host memory; of a cached step, where the cached entry was read. Null for the nested TLB.</summary>
    public required HostPhysicalAddress? Entry { get; init; }

    /// <summary>Where the guest believes the entry to lie. Null for EPT entries and where a cache answered.</summary>
    public required GuestPhysicalAddress? GuestEntry { get; init; }

    /// <summary>Whether an entry was read; otherwise a cache answered in its place.</summary>
    internal bool WasRead { get; init; }

    /// <summary>The memory type of the memory that holds the entry; null where no entry was read, or what is needed to know is not in the trace.</summary>
    public MemoryType? MemoryType { get; init; }

    /// <summary>The entry as it was read; of a cached step, the next table's address with the rights so far.</summary>
    public required ulong Before { get; init; }

    /// <summary>The entry after accessed and dirty were set. What leaves no trace writes nothing and says here what would be written.</summary>
    public required ulong After { get; init; }

    /// <summary>Where in the caches of memory the entry was found; null where none was read, or no such caches are modelled.</summary>
    public MemoryLevel? FoundIn { get; init; }

    /// <summary>What reading the entry cost, in cycles; null as <see cref="FoundIn"/>.</summary>
    public int? Cycles { get; init; }

    /// <summary>Memory, or the structure that answered.</summary>
    public required WalkSource Source { get; init; }
}
