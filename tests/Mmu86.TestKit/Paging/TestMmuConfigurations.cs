using Mmu86.Paging;

namespace Mmu86.TestKit.Paging;

/// <summary>Machines for tests: small enough that everything is evicted soon, or none of it ever.</summary>
public static class TestMmuConfigurations
{
    private static readonly string[] AllSizes = ["4k", "2m", "1g"];

    /// <summary>No TLB and no structure cache: every access walks in full.</summary>
    public static MmuConfiguration Uncached() => new()
    {
        L1Instruction = Level(),
        L1Data = Level(),
        L2 = Level(),
        StructureCaches = Structures(Entries(0)),
        Latencies = NoLatencies,
        PhysicalAddressBits = 46,
        HasPage1G = true,
        HasPse36 = true,
        ReservesBit8AbovePdpte = false,
        Nested = Nested(),
        LookUpEveryAccess = true,
        Seed = 1,
    };

    /// <summary>Unbounded first-level TLBs: a translation stays until it is invalidated. Structure caches too are too large to miss.</summary>
    public static MmuConfiguration Ideal() => Uncached() with
    {
        L1Instruction = Level(Array("l1i", 0, 0, IndexHash.Linear, Replacement.Lru, AllSizes)),
        L1Data = Level(Array("l1d", 0, 0, IndexHash.Linear, Replacement.Lru, AllSizes)),
        StructureCaches = Structures(Entries(256)),
    };

    /// <summary>The shape of Skylake at a fraction of its size: split first level, hashed second level, three groups of tree-PLRU.</summary>
    public static MmuConfiguration SmallSkylake() => Uncached() with
    {
        L1Instruction = Level(
            Array("l1i-4k", 4, 4, IndexHash.Linear, Replacement.TreePlru, "4k"),
            Array("l1i-2m", 1, 4, IndexHash.Linear, Replacement.TreePlru, "2m")),
        L1Data = Level(
            Array("l1d-4k", 4, 4, IndexHash.Linear, Replacement.TreePlru, "4k"),
            Array("l1d-2m", 2, 2, IndexHash.Linear, Replacement.TreePlru, "2m"),
            Array("l1d-1g", 1, 2, IndexHash.Linear, Replacement.TreePlru, "1g")),
        L2 = Level(
            Array("l2", 8, 12, IndexHash.Xor, Replacement.Mru3Plru, "4k", "2m"),
            Array("l2-1g", 2, 2, IndexHash.Linear, Replacement.TreePlru, "1g")),
        StructureCaches = Structures(Entries(4)),
    };

    /// <summary>Any machine that a description may name.</summary>
    /// <param name="random">Decides everything, <see cref="MmuConfiguration.LookUpEveryAccess"/> included.</param>
    public static MmuConfiguration Random(Random random) => Coalescing(random, Uncached() with
    {
        L1Instruction = RandomLevel(random, "l1i"),
        L1Data = random.Next(3) == 0 ? RandomSplitLevel(random) : RandomLevel(random, "l1d"),
        L2 = RandomSecondLevel(random, "l2"),
        L2Instruction = random.Next(3) == 0 ? RandomSecondLevel(random, "l2i") : null,
        StructureCaches = new StructureCachesConfiguration
        {
            Pml5e = RandomStructure(random),
            Pml4e = RandomStructure(random),
            Pdpte = RandomStructure(random),
            Pde = RandomStructure(random),
            EptPml4e = RandomStructure(random),
            EptPdpte = RandomStructure(random),
            EptPde = RandomStructure(random),
            NestedTlb = RandomStructure(random),
        },
        Prefetch = random.Next(4) switch
        {
            0 => new PrefetchConfiguration { Kind = PrefetchKind.Next, Degree = random.Next(1, 4) },
            1 => new PrefetchConfiguration { Kind = PrefetchKind.Distance, Degree = random.Next(1, 4), TableEntries = random.Next(1, 20) },
            _ => null,
        },
        LookUpEveryAccess = random.Next(3) == 0,
        Seed = (ulong)random.NextInt64(),
    });

    /// <summary>The levels that a machine has.</summary>
    public static IEnumerable<TlbLevelConfiguration> Levels(MmuConfiguration machine) =>
        new[] { machine.L1Instruction, machine.L1Data, machine.L2, machine.L2Instruction }.OfType<TlbLevelConfiguration>();

    /// <summary>EPT with all pages, execute-only, accessed and dirty flags.</summary>
    public static NestedPagingConfiguration Nested() => new()
    {
        Format = NestedFormat.Ept,
        LargestPage = "1g",
        ExecuteOnly = true,
        AccessedAndDirty = true,
        FiveLevels = false,
        ViolationDetails = false,
    };

    /// <summary>One level of arrays.</summary>
    public static TlbLevelConfiguration Level(params IReadOnlyList<TlbArrayConfiguration> arrays) => new() { Arrays = arrays };

    /// <summary>One array.</summary>
    public static TlbArrayConfiguration Array(
        string name, int sets, int ways, IndexHash hash, Replacement replacement, params IReadOnlyList<string> sizes) => new()
        {
            Name = name,
            PageSizes = sizes,
            Sets = sets,
            Ways = ways,
            Hash = hash,
            Replacement = replacement,
        };

    /// <summary>A fully associative structure cache; none where the number is 0.</summary>
    public static StructureCacheConfiguration Entries(int entries) => new() { Entries = entries, Ways = entries, Replacement = Replacement.Lru };

    /// <summary>The same cache for every kind of structure.</summary>
    public static StructureCachesConfiguration Structures(StructureCacheConfiguration each) => new()
    {
        Pml5e = each,
        Pml4e = each,
        Pdpte = each,
        Pde = each,
        EptPml4e = each,
        EptPdpte = each,
        EptPde = each,
        NestedTlb = each,
    };

    private static TranslationLatencies NoLatencies => new() { L2HitCycles = 0, WalkStartCycles = 0, WalkReferenceCycles = 0 };

    // Each page size is held by at most one array of a level; a size that none holds goes in as fragments, or not at all.
    private static TlbLevelConfiguration RandomLevel(Random random, string name)
    {
        var arrays = new List<TlbArrayConfiguration>();
        var sizes = new List<string>(AllSizes.Where(_ => random.Next(4) != 0));
        while (sizes.Count > 0)
        {
            int take = random.Next(1, sizes.Count + 1);
            arrays.Add(RandomArray(random, $"{name}-{arrays.Count}", sizes.GetRange(0, take)));
            sizes.RemoveRange(0, take);
        }

        return Level(arrays) with { PcidSlots = random.Next(3) == 0 ? random.Next(3) : null };
    }

    // Half of all machines have coalesced entries, in arrays of pages too or in arrays of their own. What includes the first level coalesces as it does.
    private static MmuConfiguration Coalescing(Random random, MmuConfiguration machine)
    {
        if (random.Next(2) == 0)
            return machine;
        int common = 2 << random.Next(4);
        bool isAlike = random.Next(2) == 0 || Levels(machine).Any(level => level.Inclusion == Inclusion.Inclusive);
        return machine with
        {
            L1Instruction = Coalescing(machine.L1Instruction, "l1i"),
            L1Data = Coalescing(machine.L1Data, "l1d"),
            L2 = Coalescing(machine.L2, "l2"),
            L2Instruction = machine.L2Instruction is { } level ? Coalescing(level, "l2i") : null,
        };

        TlbLevelConfiguration Coalescing(TlbLevelConfiguration level, string name)
        {
            int pages = isAlike ? common : 2 << random.Next(4);
            if (level.Inclusion == Inclusion.Inclusive)
                return level with { Arrays = [level.Arrays[0] with { CoalescedPages = pages }] };
            int chosen = random.Next(level.Arrays.Count + 1);
            if (chosen < level.Arrays.Count)
                return level with { Arrays = [.. level.Arrays.Select((array, i) => i == chosen ? array with { CoalescedPages = pages } : array)] };
            return random.Next(2) == 0 ? level : level with { Arrays = [.. level.Arrays, RandomArray(random, $"{name}-groups", []) with { CoalescedPages = pages }] };
        }
    }

    // An inclusive one holds every size.
    private static TlbLevelConfiguration RandomSecondLevel(Random random, string name)
    {
        TlbLevelConfiguration level = RandomLevel(random, name);
        return random.Next(4) switch
        {
            0 => level with { Inclusion = Inclusion.Exclusive },
            1 => level with { Inclusion = Inclusion.Inclusive, Arrays = [RandomArray(random, name, AllSizes)] },
            _ => level,
        };
    }

    // Loads and stores have arrays of their own, but perhaps for one that both see.
    private static TlbLevelConfiguration RandomSplitLevel(Random random)
    {
        TlbLevelConfiguration level = RandomLevel(random, "l1d");
        var arrays = new List<TlbArrayConfiguration>();
        foreach (TlbArrayConfiguration array in level.Arrays)
        {
            if (random.Next(4) == 0)
            {
                arrays.Add(array);
                continue;
            }

            arrays.Add(array with { Serves = AccessesServed.Loads });
            arrays.Add(RandomArray(random, $"{array.Name}-store", array.PageSizes) with { Serves = AccessesServed.Stores });
        }

        return level with { Arrays = arrays };
    }

    private static TlbArrayConfiguration RandomArray(Random random, string name, IReadOnlyList<string> sizes)
    {
        if (random.Next(8) == 0)
            return Array(name, 0, 0, IndexHash.Linear, Replacement.Lru, sizes);
        Replacement replacement = (Replacement)random.Next(Enum.GetValues<Replacement>().Length);
        int ways = replacement switch
        {
            Replacement.TreePlru => 1 << random.Next(4),
            Replacement.Mru3Plru => 3 << random.Next(3),
            Replacement.Lru or Replacement.Fifo or Replacement.Random or Replacement.Nru or Replacement.Srrip or Replacement.Permutation => random.Next(1, 9),
            _ => throw new InvalidOperationException(),
        };
        IndexHash hash = (IndexHash)random.Next(Enum.GetValues<IndexHash>().Length);
        if (hash == IndexHash.Skewed && replacement is not (Replacement.Lru or Replacement.Fifo or Replacement.Random or Replacement.Nru))
            hash = IndexHash.Linear;
        int sets = hash switch
        {
            IndexHash.Skewed => 4 << random.Next(4),
            IndexHash.Linear when random.Next(2) != 0 => random.Next(1, 12),
            _ => 1 << random.Next(5),
        };
        return Completed(Array(name, sets, ways, hash, replacement, sizes), random);
    }

    /// <summary>The array with masks and permutations where its hash and its replacement need them.</summary>
    public static TlbArrayConfiguration Completed(TlbArrayConfiguration array, Random random) => array with
    {
        // A mask of nine bits, of which one lies where pages of a run differ.
        IndexMasks = array.Hash == IndexHash.Masks
            ? [.. Enumerable.Range(0, int.Log2(array.Sets)).Select(bit => $"0x{(1UL << bit) | ((ulong)random.Next(1, 256) << (bit + 1)):x}")]
            : null,
        Permutations = array.Replacement == Replacement.Permutation ? RandomPermutations(array.Ways, random) : null,
    };

    // Half of them such that the filter may answer hits.
    private static IReadOnlyList<IReadOnlyList<int>> RandomPermutations(int ways, Random random)
    {
        if (random.Next(2) == 0)
            return [.. Enumerable.Range(0, ways + 1).Select(_ => Shuffled(ways, random))];
        // A hit goes to the end, however it shuffles the others.
        int[][] lists = [.. Enumerable.Range(0, ways).Select(position => (int[])[.. Shuffled(ways, random).Where(other => other != position), position])];
        lists[ways - 1] = [.. Enumerable.Range(0, ways)];
        return [.. lists, [.. Shuffled(ways, random).Where(other => other != 0), 0]];
    }

    private static int[] Shuffled(int ways, Random random)
    {
        int[] list = [.. Enumerable.Range(0, ways)];
        random.Shuffle(list);
        return list;
    }

    private static StructureCacheConfiguration RandomStructure(Random random)
    {
        int ways = 1 << random.Next(3);
        int entries = random.Next(4) == 0 ? 0 : ways << random.Next(3);
        return new StructureCacheConfiguration
        {
            Entries = entries,
            Ways = entries == 0 ? 0 : ways,
            Hash = random.Next(3) switch { 0 => IndexHash.Xor, 1 => IndexHash.Linear, _ => null },
            Replacement = random.Next(3) switch { 0 => Replacement.Lru, 1 => Replacement.TreePlru, _ => Replacement.Nru },
        };
    }
}
