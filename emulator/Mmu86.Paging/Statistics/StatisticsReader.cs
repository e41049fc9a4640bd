using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Turns the counters of the model into what a report shows.</summary>
internal static unsafe class StatisticsReader
{
    private static readonly (string Name, int Index)[] Caches =
        [("pml5e", 5), ("pml4e", 4), ("pdpte", 3), ("pde", 2), ("eptPml4e", 4), ("eptPdpte", 3), ("eptPde", 2)];

    /// <summary>A level: the sum of its arrays, and what belongs to none.</summary>
    /// <param name="name">The level's name.</param>
    /// <param name="level">The level.</param>
    /// <param name="served">The lane that the filter serves, or null.</param>
    /// <param name="outstanding">Hits that the filter answered and nobody was given yet.</param>
    public static TlbStatistics Level(string name, TlbLevel level, TlbLane* served, ulong outstanding)
    {
        Span<PageSizeStatistics> sums = stackalloc PageSizeStatistics[3];
        for (int size = 0; size < 3; size++)
        {
            sums[size] = new PageSizeStatistics(0, level.Unheld[size], 0, 0, 0);
            for (int i = 0; i < level.ArrayCount; i++)
                sums[size] += Lane(level.Array(i)->Lane(size), served, outstanding);
        }

        for (int i = 0; i < level.ArrayCount; i++)
            sums[(int)PageSize.Size4K] += Lane(level.Array(i)->LaneGroup, served, outstanding);
        return Compose(name, level.Exists, sums, level.Unresolved);
    }

    /// <summary>One array.</summary>
    public static TlbStatistics Array(string name, TlbArray* array, TlbLane* served, ulong outstanding)
    {
        Span<PageSizeStatistics> sums = stackalloc PageSizeStatistics[3];
        for (int size = 0; size < 3; size++)
            sums[size] = Lane(array->Lane(size), served, outstanding);
        // A group is of small pages.
        sums[(int)PageSize.Size4K] += Lane(array->LaneGroup, served, outstanding);
        return Compose(name, exists: true, sums, unresolved: 0);
    }

    /// <summary>The caches of partial walks, in the order of the report.</summary>
    public static StructureCacheStatistics[] StructureCaches(StructureCaches caches)
    {
        var result = new StructureCacheStatistics[Caches.Length + 1];
        for (int i = 0; i < Caches.Length; i++)
            result[i] = Cache(Caches[i].Name, (i < 4 ? caches.Guest : caches.Ept) + Caches[i].Index);
        result[^1] = Cache("nestedTlb", caches.NestedTlb);
        return result;
    }

    private static StructureCacheStatistics Cache(string name, StructureCache* cache) => new(name, cache->Exists, cache->Hits, cache->Misses);

    private static PageSizeStatistics Lane(TlbLane* lane, TlbLane* served, ulong outstanding) => lane == null
        ? default
        : new PageSizeStatistics(lane->Hits + (lane == served ? outstanding : 0), lane->Misses, lane->Fills, lane->Evictions, lane->Invalidations);

    private static TlbStatistics Compose(string name, bool exists, Span<PageSizeStatistics> sizes, ulong unresolved) => new()
    {
        Name = name,
        Exists = exists,
        Size4K = sizes[(int)PageSize.Size4K],
        Size2M = sizes[(int)PageSize.Size2M],
        Size1G = sizes[(int)PageSize.Size1G],
        Unresolved = unresolved,
    };
}
