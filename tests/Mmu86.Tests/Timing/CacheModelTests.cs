using Mmu86.Paging;
using Mmu86.Timing;
using Xunit;

namespace Mmu86.Tests.Timing;

/// <summary>The caches against literal ones, on random streams.</summary>
public sealed class CacheModelTests
{
    private const int References = 40_000;

    [Theory]
    [InlineData(4096, 1, CacheReplacement.Lru)]
    [InlineData(4096, 8, CacheReplacement.Lru)]
    [InlineData(4096, 64, CacheReplacement.Lru)]
    [InlineData(64 * 12 * 7, 12, CacheReplacement.Lru)]
    [InlineData(4096, 1, CacheReplacement.TreePlru)]
    [InlineData(4096, 2, CacheReplacement.TreePlru)]
    [InlineData(4096, 8, CacheReplacement.TreePlru)]
    [InlineData(4096, 64, CacheReplacement.TreePlru)]
    [InlineData(64 * 16 * 5, 16, CacheReplacement.TreePlru)]
    public void Refer_RandomStream_HitsWhereTheLiteralCacheHits(long bytes, int ways, CacheReplacement replacement)
    {
        CacheConfiguration configuration = SampleCaches.Cache(bytes, ways, 5, replacement);
        var cache = new SetAssociativeCache(configuration);
        var literal = new LiteralCache(configuration);
        var random = new Random(ways);
        for (int i = 0; i < References; i++)
        {
            ulong address = Address(random, (ulong)bytes);
            bool isWalk = random.Next(4) == 0;
            bool hit = isWalk ? cache.ReferOfWalk(cache.Line(address)) : cache.Refer(cache.Line(address));
            Assert.Equal(literal.Refer(address, isWalk), hit);
            ulong other = Address(random, (ulong)bytes);
            Action restore = cache.Remember(cache.Line(other));
            Assert.Equal(literal.Holds(other), cache.Refer(cache.Line(other)));
            restore();
        }

        Assert.Equal((literal.References, literal.Hits, literal.WalkReferences, literal.WalkHits), (cache.References, cache.Hits, cache.WalkReferences, cache.WalkHits));
        Assert.InRange(cache.Hits, References / 10u, References * 9u / 10);
    }

    [Theory]
    [InlineData(true, true, WalkEntryPoint.L1Data)]
    [InlineData(true, true, WalkEntryPoint.L2)]
    [InlineData(true, false, WalkEntryPoint.L1Data)]
    [InlineData(false, false, WalkEntryPoint.L1Data)]
    public void Hierarchy_RandomFetchesAccessesAndWalks_CostAndCountAsTheLiteralOne(bool hasL2, bool hasL3, WalkEntryPoint entry)
    {
        CachesConfiguration configuration = SampleCaches.Caches(1, 1) with { WalksEnterAt = entry };
        configuration = configuration with { L2 = hasL2 ? configuration.L2 : null, L3 = hasL3 ? configuration.L3 : null };
        var caches = new CacheHierarchy(configuration);
        LiteralCache instruction = new(configuration.L1Instruction), data = new(configuration.L1Data);
        LiteralCache? l2 = hasL2 ? new LiteralCache(configuration.L2!) : null, l3 = hasL3 ? new LiteralCache(configuration.L3!) : null;
        var random = new Random(3);
        ulong code = 0;
        for (int i = 0; i < References; i++)
        {
            ulong address = Address(random, 65536);
            switch (random.Next(3))
            {
                case 0:
                    code = random.Next(3) == 0 ? address : code + 4;
                    Assert.Equal(Math.Max(0, Latency([instruction, l2, l3], code, false) - SampleCaches.L1), caches.Fetch(caches.Line(code)));
                    break;
                case 1:
                    Assert.Equal(Latency([data, l2, l3], address, false), caches.Access(caches.Line(address)));
                    break;
                default:
                    MemoryLevel forecast = caches.Forecast([caches.Line(address)]).Single();
                    MemoryLevel found = caches.Walk(caches.Line(address));
                    Assert.Equal(forecast, found);
                    Assert.Equal(Latency(entry == WalkEntryPoint.L1Data ? [data, l2, l3] : [l2, l3], address, true), caches.Latency(found));
                    break;
            }
        }

        LiteralCache[] literal = [.. new[] { instruction, data, l2, l3 }.OfType<LiteralCache>()];
        Assert.Equal(
            literal.Select(cache => (cache.References, cache.Hits, cache.WalkReferences, cache.WalkHits)),
            caches.Statistics.Select(cache => (cache.References, cache.Hits, cache.WalkReferences, cache.WalkHits)));
        Assert.Equal(new[] { "l1i", "l1d", "l2", "l3" }[..literal.Length], caches.Statistics.Select(cache => cache.Name));
    }

    private static int Latency(LiteralCache?[] path, ulong address, bool isWalk)
    {
        foreach (LiteralCache cache in path.OfType<LiteralCache>())
        {
            if (cache.Refer(address, isWalk))
                return cache.Latency;
        }

        return SampleCaches.Memory;
    }

    // Near addresses often, far ones sometimes.
    private static ulong Address(Random random, ulong bytes) =>
        random.Next(3) == 0 ? (ulong)random.NextInt64((long)bytes * 4) : (ulong)random.NextInt64((long)bytes);
}
