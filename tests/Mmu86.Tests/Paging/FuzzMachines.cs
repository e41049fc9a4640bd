using Mmu86.Paging;
using Mmu86.TestKit.Paging;

namespace Mmu86.Tests.Paging;

/// <summary>Geometries for random tests: small, so that sets fill, and of every policy.</summary>
internal static class FuzzMachines
{
    private static readonly Dictionary<string, MmuConfiguration> All = new()
    {
        ["skylake"] = Machines.Skylake,
        ["ideal"] = Machines.Ideal,
        ["uncached"] = Machines.Uncached,
        ["lru"] = Small(Replacement.Lru),
        ["tree-plru"] = Small(Replacement.TreePlru),
        ["fifo"] = Small(Replacement.Fifo),
        ["random"] = Small(Replacement.Random),
        ["nru"] = Small(Replacement.Nru),
        ["srrip"] = Small(Replacement.Srrip),
        // A permutation that the filter serves, and one that it cannot: a hit climbs one position.
        ["permutation"] = Small(Replacement.TreePlru) with
        {
            L1Instruction = Machines.Level(Permuted("l1i", PermutationVectors.Of(Replacement.TreePlru, 4))),
            L1Data = Machines.Level(Permuted("l1d", PermutationVectors.Of(Replacement.Lru, 4))),
        },
        ["climbing"] = Small(Replacement.Lru) with
        {
            L1Instruction = Machines.Level(Permuted("l1i", [[1, 0, 2], [0, 2, 1], [0, 1, 2], [0, 1, 2]])),
            L1Data = Machines.Level(Permuted("l1d", [[1, 0, 2], [0, 2, 1], [0, 1, 2], [0, 1, 2]])),
        },
        ["masks"] = Small(Replacement.Lru) with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m"], 4, 2, Replacement.TreePlru, IndexHash.Masks) with { IndexMasks = ["0x11", "0xa"] }),
            L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m"], 8, 2, Replacement.Lru, IndexHash.Masks) with { IndexMasks = ["0x9", "0x12", "0x24"] }),
        },
        ["skewed-lru"] = Skewed(Replacement.Lru),
        ["skewed-fifo"] = Skewed(Replacement.Fifo),
        ["skewed-nru"] = Skewed(Replacement.Nru),
        ["skewed-random"] = Skewed(Replacement.Random),
        // The shape of Ice Lake: loads have arrays by size, stores one for all sizes; fetches have a second level of their own, as on Zen.
        ["loads-and-stores"] = Small(Replacement.TreePlru) with
        {
            L1Data = Machines.Level(
                Machines.Array("l1d-load-4k", ["4k"], 4, 4) with { Serves = AccessesServed.Loads },
                Machines.Array("l1d-load-2m", ["2m"], 2, 2) with { Serves = AccessesServed.Loads },
                Machines.Array("l1d-1g", ["1g"], 1, 2),
                Machines.Array("l1d-store", ["4k", "2m"], 1, 8) with { Serves = AccessesServed.Stores }),
            L2Instruction = Machines.Level(Machines.Array("l2i", ["4k", "2m"], 4, 4, Replacement.Lru)),
        },
        ["pcid-slots"] = Small(Replacement.Lru) with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m"], 4, 4)) with { PcidSlots = 1 },
            L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m"], 4, 4)) with { PcidSlots = 0 },
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 8, 8)) with { PcidSlots = 2 },
        },
        ["inclusive"] = Small(Replacement.Lru) with
        {
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m", "1g"], 4, 6, Replacement.Lru)) with { Inclusion = Inclusion.Inclusive },
        },
        // The second level of fetches only is inclusive, and large pages are fragments in the first.
        ["inclusive-fetches"] = Small(Replacement.Fifo) with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k"], 4, 4, Replacement.Fifo)),
            L2Instruction = Machines.Level(Machines.Array("l2i", ["4k", "2m"], 2, 8, Replacement.Fifo)) with { Inclusion = Inclusion.Inclusive },
        },
        ["exclusive"] = Small(Replacement.Lru) with
        {
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 8, 4, Replacement.Lru), Machines.Array("l2-1g", ["1g"], 1, 2)) with { Inclusion = Inclusion.Exclusive },
        },
        ["prefetch-next"] = Small(Replacement.Lru) with
        {
            Prefetch = new PrefetchConfiguration { Kind = PrefetchKind.Next, Degree = 2 },
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m", "1g"], 4, 6, Replacement.Lru)) with { Inclusion = Inclusion.Inclusive },
        },
        ["prefetch-distance"] = Small(Replacement.TreePlru) with
        {
            StructureCaches = Machines.Caches(1) with { Pde = new StructureCacheConfiguration { Entries = 16, Ways = 2, Replacement = Replacement.Nru, Hash = IndexHash.Xor } },
            Prefetch = new PrefetchConfiguration { Kind = PrefetchKind.Distance, Degree = 2, TableEntries = 16 },
        },
        // Groups beside single pages, groups alone, and of different lengths in the two levels.
        ["coalescing"] = Small(Replacement.Lru) with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m"], 2, 4) with { CoalescedPages = 4 }),
            L1Data = Machines.Level(
                Machines.Array("l1d", ["4k"], 4, 2),
                Machines.Array("l1d-groups", [], 1, 4, Replacement.TreePlru) with { CoalescedPages = 4 },
                Machines.Array("l1d-2m", ["2m"], 2, 2)),
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 4, 4, Replacement.Lru, IndexHash.Xor) with { CoalescedPages = 8 }),
        },
        ["coalescing-inclusive"] = Small(Replacement.Lru) with
        {
            L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m", "1g"], 1, 8) with { CoalescedPages = 16 }),
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m", "1g"], 4, 6, Replacement.Lru) with { CoalescedPages = 16 }) with { Inclusion = Inclusion.Inclusive },
        },
        ["coalescing-exclusive"] = Small(Replacement.Nru) with
        {
            L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m"], 2, 4, Replacement.Fifo) with { CoalescedPages = 8 }),
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 4, 4, Replacement.Nru, IndexHash.Skewed) with { CoalescedPages = 8 }) with { Inclusion = Inclusion.Exclusive },
        },
        ["coalescing-unbounded"] = Machines.Ideal with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m", "1g"], 0, 0) with { CoalescedPages = 16 }),
            L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m", "1g"], 0, 0) with { CoalescedPages = 2 }),
            StructureCaches = Machines.Caches(1),
        },
        // More slots in the filter than any other: what looks through them must find all.
        ["wide"] = Small(Replacement.Fifo) with { L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m"], 32768, 4, Replacement.Fifo)) },
        // Every size in one array of three groups, and no second level.
        ["mru3-plru"] = Machines.Uncached with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m", "1g"], 1, 12, Replacement.Mru3Plru)),
            L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m", "1g"], 2, 12, Replacement.Mru3Plru)),
            StructureCaches = Machines.Caches(1),
        },
        // Large pages are fragments everywhere.
        ["small-pages-only"] = Machines.Uncached with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k"], 4, 2, Replacement.Lru)),
            L1Data = Machines.Level(Machines.Array("l1d", ["4k"], 3, 5, Replacement.Lru)),
            L2 = Machines.Level(Machines.Array("l2", ["4k"], 16, 4, Replacement.Lru, IndexHash.Xor)),
            StructureCaches = Machines.Caches(1),
        },
        // Two arrays share the 4 KiB pages; 1 GiB pages are fragments in the first level and absent from the second.
        ["two-arrays"] = Machines.Uncached with
        {
            L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m"], 0, 0)),
            L1Data = Machines.Level(
                Machines.Array("l1d-a", ["4k", "2m"], 4, 4, Replacement.Lru), Machines.Array("l1d-b", ["4k"], 4, 4, Replacement.TreePlru)),
            L2 = Machines.Level(Machines.Array("l2-1g", ["1g"], 1, 2, Replacement.Lru)),
            StructureCaches = Machines.Caches(2),
        },
        // Only the second level exists.
        ["second-level-only"] = Machines.Uncached with
        {
            L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 8, 4, Replacement.Lru)),
        },
    };

    public static IEnumerable<string> Names => All.Keys;

    /// <summary>Those with coalesced entries.</summary>
    public static IEnumerable<string> Coalescing => All.Where(machine => TestMmuConfigurations.Levels(machine.Value)
        .Any(level => level.Arrays.Any(array => array.CoalescedPages is not null))).Select(machine => machine.Key);

    public static MmuConfiguration Get(string name) => All[name];

    private static TlbArrayConfiguration Permuted(string name, IReadOnlyList<IReadOnlyList<int>> permutations) =>
        Machines.Array(name, ["4k", "2m"], 4, permutations.Count - 1, Replacement.Permutation) with { Permutations = permutations };

    private static MmuConfiguration Skewed(Replacement replacement) => Small(replacement) with
    {
        L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m"], 4, 3, replacement, IndexHash.Skewed)),
        L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m", "1g"], 8, 3, replacement, IndexHash.Skewed)),
        L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 8, 5, replacement, IndexHash.Skewed)),
    };

    private static MmuConfiguration Small(Replacement replacement) => Machines.Uncached with
    {
        L1Instruction = Machines.Level(Machines.Array("l1i-4k", ["4k"], 4, 4, replacement), Machines.Array("l1i-2m", ["2m"], 1, 2, replacement)),
        L1Data = Machines.Level(
            Machines.Array("l1d-4k", ["4k"], 4, 4, replacement),
            Machines.Array("l1d-2m", ["2m"], 2, 2, replacement),
            Machines.Array("l1d-1g", ["1g"], 1, 1, replacement)),
        L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 8, 4, replacement, IndexHash.Xor), Machines.Array("l2-1g", ["1g"], 1, 2, replacement)),
        StructureCaches = Machines.Caches(1),
    };
}
