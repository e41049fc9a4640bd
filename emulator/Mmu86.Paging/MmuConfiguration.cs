namespace Mmu86.Paging;

/// <summary>How a set is found from a page number.</summary>
public enum IndexHash
{
    /// <summary>The low bits of the page number (page number modulo sets where sets are no power of two).</summary>
    Linear,

    /// <summary>The low n bits xor the next n bits, n = log2(sets).</summary>
    Xor,

    /// <summary>Bit i of the set is the parity of the page number and <see cref="TlbArrayConfiguration.IndexMasks"/>[i].</summary>
    Masks,

    /// <summary>Each way has an index of its own: <see cref="SkewedIndex"/>.</summary>
    Skewed,
}

/// <summary>Which way of a full set gives way.</summary>
public enum Replacement
{
    Lru,

    /// <summary>Tree pseudo-LRU; ways must be a power of two.</summary>
    TreePlru,

    /// <summary>Three tree-PLRUs of ways/3 each; a fill goes to the group after the one used last: (MRU+1) mod 3. Skylake's second level.</summary>
    Mru3Plru,

    Fifo,

    /// <summary>Seeded pseudo-random.</summary>
    Random,

    /// <summary>Not recently used: one reference bit a way, set by every use; where that sets the last one, all others are cleared. The victim is
    /// the lowest way whose bit is clear.</summary>
    Nru,

    /// <summary>Static re-reference interval prediction with 2 bits and hit priority: filled at 2, 0 after a hit, the victim is the lowest way at 3,
    /// and all ways age until there is one.</summary>
    Srrip,

    /// <summary>A list of the ways that every use permutes: <see cref="TlbArrayConfiguration.Permutations"/>.</summary>
    Permutation,
}

/// <summary>One TLB array: the structure and the page sizes that it holds.</summary>
public sealed record TlbArrayConfiguration
{
    /// <summary>Name in reports, such as <c>l1d-4k</c>. Unique in the machine.</summary>
    public required string Name { get; init; }

    /// <summary>The page sizes held: any of 4k, 2m, 1g. A larger entry is cached as a fragment of the largest size held below it.</summary>
    public required IReadOnlyList<string> PageSizes { get; init; }

    /// <summary>Number of sets; 0 means unbounded (every translation stays until invalidated), with ways 0.</summary>
    public required int Sets { get; init; }

    public required int Ways { get; init; }

    public required IndexHash Hash { get; init; }

    public required Replacement Replacement { get; init; }

    /// <summary>With <see cref="IndexHash.Masks"/>: for each bit of the set, the lowest first, the bits of the page number whose parity it is, as
    /// <c>0x...</c>. Else null.</summary>
    public IReadOnlyList<string>? IndexMasks { get; init; }

    /// <summary>With <see cref="Replacement.Permutation"/>: for n ways n + 1 permutations of 0 to n - 1. Else null.</summary>
    /// <remarks>
    /// A set is a list of its ways; position 0 is the next victim. A hit at position i applies permutation i: what was at position
    /// p[j] moves to position j. A fill takes the way at position 0 and applies the last permutation.
    /// </remarks>
    public IReadOnlyList<IReadOnlyList<int>>? Permutations { get; init; }

    /// <summary>How many contiguous, aligned 4 KiB pages one entry may stand for beside those of <see cref="PageSizes"/>: 2, 4, 8 or 16; null for none.
    /// <see cref="PageSizes"/> may be empty then.</summary>
    public int? CoalescedPages { get; init; }

    /// <summary>In the first level of data: the accesses for which it is probed and filled; null for both.</summary>
    public AccessesServed? Serves { get; init; }
}

/// <summary>The data accesses that an array is for.</summary>
public enum AccessesServed
{
    /// <summary>Reads.</summary>
    Loads,

    /// <summary>Writes, and reads that a write follows in the same instruction.</summary>
    Stores,
}

/// <summary>One level for one kind of access. No arrays: the level does not exist and every lookup goes on.</summary>
public sealed record TlbLevelConfiguration
{
    public required IReadOnlyList<TlbArrayConfiguration> Arrays { get; init; }

    /// <summary>How many address spaces beside the running one may have entries, the least recently left going first; null for any number.</summary>
    public int? PcidSlots { get; init; }

    /// <summary>Of a second level: how it stands to the first; null for <see cref="Mmu86.Paging.Inclusion.NonInclusive"/>.</summary>
    public Inclusion? Inclusion { get; init; }
}

/// <summary>How the contents of a second level stand to those of the first levels above it.</summary>
public enum Inclusion
{
    /// <summary>A walk fills both; what leaves one stays in the other.</summary>
    NonInclusive,

    /// <summary>A walk fills both; what leaves the second level leaves the first too.</summary>
    Inclusive,

    /// <summary>A walk fills the first; what that evicts goes to the second, and comes back from there by moving.</summary>
    Exclusive,
}

/// <summary>A fully or set-associative cache of paging-structure entries.</summary>
public sealed record StructureCacheConfiguration
{
    /// <summary>Entries in all; 0: the cache does not exist.</summary>
    public required int Entries { get; init; }

    /// <summary>Ways; equal to entries for fully associative.</summary>
    public required int Ways { get; init; }

    public required Replacement Replacement { get; init; }

    /// <summary>How a set is found from the bits of the address above those that the entry translates: linear or xor; null for linear.</summary>
    public IndexHash? Hash { get; init; }
}

/// <summary>The caches of partial walks.</summary>
public sealed record StructureCachesConfiguration
{
    /// <summary>Of 5-level paging; null where the machine has none.</summary>
    public StructureCacheConfiguration? Pml5e { get; init; }

    public required StructureCacheConfiguration Pml4e { get; init; }

    public required StructureCacheConfiguration Pdpte { get; init; }

    public required StructureCacheConfiguration Pde { get; init; }

    public required StructureCacheConfiguration EptPml4e { get; init; }

    public required StructureCacheConfiguration EptPdpte { get; init; }

    public required StructureCacheConfiguration EptPde { get; init; }

    /// <summary>Guest-physical page to host-physical frame, used for guest tables and for the final address of a nested walk.</summary>
    public required StructureCacheConfiguration NestedTlb { get; init; }
}

/// <summary>Cycles added to one per instruction in the <c>tlb</c> fidelity.</summary>
public sealed record TranslationLatencies
{
    /// <summary>Cycles that a first-level miss answered by the second level costs.</summary>
    public required int L2HitCycles { get; init; }

    /// <summary>Cycles that starting a walk costs.</summary>
    public required int WalkStartCycles { get; init; }

    /// <summary>Cycles that each reference of a walk costs.</summary>
    public required int WalkReferenceCycles { get; init; }
}

/// <summary>The translation hardware of one virtual CPU.</summary>
public sealed record MmuConfiguration
{
    public required TlbLevelConfiguration L1Instruction { get; init; }

    public required TlbLevelConfiguration L1Data { get; init; }

    public required TlbLevelConfiguration L2 { get; init; }

    /// <summary>The second level of fetches, where they have one of their own; <see cref="L2"/> is that of data then. Else null.</summary>
    public TlbLevelConfiguration? L2Instruction { get; init; }

    /// <summary>What is prefetched into the second level; null for nothing.</summary>
    public PrefetchConfiguration? Prefetch { get; init; }

    public required StructureCachesConfiguration StructureCaches { get; init; }

    public required TranslationLatencies Latencies { get; init; }

    /// <summary>MAXPHYADDR, 36 to 52.</summary>
    public required int PhysicalAddressBits { get; init; }

    /// <summary>Whether a PDPTE with PS=1 maps a 1 GiB page; otherwise that bit is reserved.</summary>
    public required bool HasPage1G { get; init; }

    /// <summary>Whether a 4 MiB page of 32-bit paging may lie above 4 GiB; otherwise its bits 21:13 are reserved.</summary>
    public required bool HasPse36 { get; init; }

    /// <summary>Whether bit 8 of PML4 and PML5 entries is reserved, as AMD has it; Intel ignores it.</summary>
    public required bool ReservesBit8AbovePdpte { get; init; }

    /// <summary>What the walker must know of the formats.</summary>
    internal PagingFeatures Features => new(PhysicalAddressBits, HasPage1G, HasPse36, ReservesBit8AbovePdpte);

    /// <summary>What the second dimension of paging can do.</summary>
    public required NestedPagingConfiguration Nested { get; init; }

    /// <summary>Whether every access is looked up in the model; otherwise the filter answers hits where that is exact.</summary>
    public required bool LookUpEveryAccess { get; init; }

    /// <summary>Seed of random replacement.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Whether the accesses are those of a recorded run: its tables bring their accessed and dirty flags along, so walks write none.</summary>
    internal bool IsReplay { get; init; }
}
