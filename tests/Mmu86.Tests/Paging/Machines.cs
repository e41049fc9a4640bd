using Mmu86.Paging;
using Mmu86.TestKit.Paging;

namespace Mmu86.Tests.Paging;

/// <summary>Descriptions of translation hardware for tests; each test varies one thing.</summary>
internal static class Machines
{
    private static readonly StructureCacheConfiguration Absent = new() { Entries = 0, Ways = 0, Replacement = Replacement.Lru };

    /// <summary>No TLB and no structure cache: every access walks in full.</summary>
    public static MmuConfiguration Uncached { get; } = new()
    {
        L1Instruction = Level(),
        L1Data = Level(),
        L2 = Level(),
        StructureCaches = NoCaches,
        Latencies = new TranslationLatencies { L2HitCycles = 7, WalkStartCycles = 0, WalkReferenceCycles = 10 },
        PhysicalAddressBits = 46,
        HasPage1G = true,
        HasPse36 = true,
        ReservesBit8AbovePdpte = false,
        Nested = TestMmuConfigurations.Nested(),
        LookUpEveryAccess = true,
        Seed = 1,
    };

    public static StructureCachesConfiguration NoCaches => new()
    {
        Pml4e = Absent,
        Pdpte = Absent,
        Pde = Absent,
        EptPml4e = Absent,
        EptPdpte = Absent,
        EptPde = Absent,
        NestedTlb = Absent,
    };

    public static StructureCachesConfiguration Caches(int scale = 4) => new()
    {
        Pml5e = Full(scale),
        Pml4e = Full(scale),
        Pdpte = Full(scale),
        Pde = new StructureCacheConfiguration { Entries = 8 * scale, Ways = 4, Replacement = Replacement.Lru },
        EptPml4e = Full(scale),
        EptPdpte = Full(scale),
        EptPde = Full(2 * scale),
        NestedTlb = Full(4 * scale),
    };

    /// <summary>Split first level, unified second, tree-PLRU, structure caches: the shape of a real part.</summary>
    public static MmuConfiguration Skylake { get; } = Uncached with
    {
        L1Instruction = Level(Array("l1i-4k", ["4k"], 16, 8), Array("l1i-2m", ["2m"], 1, 8)),
        L1Data = Level(Array("l1d-4k", ["4k"], 16, 4), Array("l1d-2m", ["2m"], 8, 4), Array("l1d-1g", ["1g"], 1, 4)),
        L2 = Level(
            Array("l2-4k-2m", ["4k", "2m"], 128, 12, Replacement.Mru3Plru, IndexHash.Xor),
            Array("l2-1g", ["1g"], 4, 4)),
        StructureCaches = Caches(),
        LookUpEveryAccess = false,
    };

    /// <summary>Nothing is ever evicted.</summary>
    public static MmuConfiguration Ideal { get; } = Uncached with
    {
        L1Instruction = Level(Array("l1i", ["4k", "2m", "1g"], 0, 0)),
        L1Data = Level(Array("l1d", ["4k", "2m", "1g"], 0, 0)),
        LookUpEveryAccess = false,
    };

    public static TlbLevelConfiguration Level(params TlbArrayConfiguration[] arrays) => new() { Arrays = arrays };

    public static TlbArrayConfiguration Array(
        string name, string[] sizes, int sets, int ways, Replacement replacement = Replacement.TreePlru, IndexHash hash = IndexHash.Linear) => new()
        {
            Name = name,
            PageSizes = sizes,
            Sets = sets,
            Ways = ways,
            Hash = hash,
            Replacement = replacement,
        };

    private static StructureCacheConfiguration Full(int entries) => new() { Entries = entries, Ways = entries, Replacement = Replacement.Lru };
}
