using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>Walks that nobody asked for: what they fill, set and count, and what stops them.</summary>
public sealed class PrefetchTests
{
    private const ulong Page = 0x40_0000;
    private const ulong Flags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    [Fact]
    public void Next_Miss_FillsTheSecondLevelWithThePagesBehind()
    {
        using World world = Mapped();
        Mmu<Unobserved> mmu = Next(world, degree: 2);
        Touch(mmu, Page, AccessKind.Read);

        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((1ul, 3ul, 1ul), (counted.L1Data.Fills, counted.L2.Fills, counted.L2.Misses));
        Assert.Equal((1ul, 2ul, 3ul), (counted.Walks.Miss, counted.Walks.Prefetch, counted.Walks.Count));
        // No structure caches: each walk reads four entries.
        Assert.Equal((12ul, 8ul), (counted.Walks.References, counted.Walks.PrefetchReferences));
        StatisticsRules.Hold(counted);

        Touch(mmu, Page + 0x1000, AccessKind.Read);
        Assert.Equal((1ul, 3ul), (mmu.Statistics.L2.Hits, mmu.Statistics.Walks.Count));
    }

    [Fact]
    [Rule("A03")]
    public void Next_MissOfAWrite_SetsAccessedOfThePageBehindAndNotDirty()
    {
        using World world = Mapped();
        Mmu<Unobserved> mmu = Next(world, degree: 1);
        Touch(mmu, Page, AccessKind.Write);

        const ulong Both = PagingEntry.Accessed | PagingEntry.Dirty;
        Assert.Equal(Both, world.Read(world.Entry(Page, 1)) & Both);
        Assert.Equal(PagingEntry.Accessed, world.Read(world.Entry(Page + 0x1000, 1)) & Both);
        Assert.Equal(0ul, world.Read(world.Entry(Page + 0x2000, 1)) & Both);

        // The write that comes finds its dirty flag clear.
        Touch(mmu, Page + 0x1000, AccessKind.Write);
        Assert.Equal(1ul, mmu.Statistics.Walks.Dirty);
    }

    [Fact]
    [Rule("T01")]
    public void Next_PageBehindNotPresent_IsDroppedWithoutAFault()
    {
        using World world = Mapped();
        Mmu<Unobserved> mmu = Next(world, degree: 1);
        Touch(mmu, Page + 0x7000, AccessKind.Read);

        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((0ul, 0ul, 0ul), (counted.Walks.Prefetch, counted.Walks.Faulted, counted.Faults.PageFaults));
        Assert.Equal(1ul, counted.L2.Fills);
        StatisticsRules.Hold(counted);
    }

    [Fact]
    public void Next_LastPageOfTheLowerHalf_LooksNoFurther()
    {
        using var world = new World();
        const ulong Last = 0x7FFF_FFFF_F000;
        world.Map(Last, 0x8000, PageSize.Size4K, Flags);
        Mmu<Unobserved> mmu = Next(world, degree: 3);
        Touch(mmu, Last, AccessKind.Read);
        Assert.Equal(1ul, mmu.Statistics.Walks.Count);
    }

    [Fact]
    public void Distance_PatternSeenOnce_IsFollowedTheSecondTime()
    {
        using var world = new World();
        for (ulong i = 0; i < 64; i++)
            world.Map(Page + (i << 12), 0x8000 + (i << 12), PageSize.Size4K, Flags);
        Mmu<Unobserved> mmu = world.Mmu(Machine(new PrefetchConfiguration { Kind = PrefetchKind.Distance, Degree = 1, TableEntries = 8 }));
        // Distances 3, 5, 3: the second 3 says that 5 follows.
        foreach (ulong page in new ulong[] { 0, 3, 8, 11 })
            Touch(mmu, Page + (page << 12), AccessKind.Read);
        Assert.Equal((4ul, 1ul), (mmu.Statistics.Walks.Miss, mmu.Statistics.Walks.Prefetch));

        Touch(mmu, Page + (16 << 12), AccessKind.Read);
        Assert.Equal((4ul, 1ul), (mmu.Statistics.Walks.Miss, mmu.Statistics.L2.Hits));
    }

    private static Mmu<Unobserved> Next(World world, int degree) => world.Mmu(Machine(new PrefetchConfiguration { Kind = PrefetchKind.Next, Degree = degree }));

    private static MmuConfiguration Machine(PrefetchConfiguration prefetch) => Machines.Uncached with
    {
        L1Instruction = Machines.Level(Machines.Array("l1i", ["4k"], 1, 8, Replacement.Fifo)),
        L1Data = Machines.Level(Machines.Array("l1d", ["4k"], 1, 8, Replacement.Fifo)),
        L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 1, 32, Replacement.Fifo)),
        Prefetch = prefetch,
    };

    // Eight pages; the ninth is not there.
    private static World Mapped()
    {
        var world = new World();
        for (ulong i = 0; i < 8; i++)
            world.Map(Page + (i << 12), 0x8000 + (i << 12), PageSize.Size4K, Flags);
        return world;
    }

    private static void Touch(Mmu<Unobserved> mmu, ulong linear, AccessKind kind) =>
        Assert.True(mmu.TryTranslate(new LinearAddress(linear), kind, AccessMode.User, out _));
}
