using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>Levels of unusual shape, by hand: arrays for loads or stores alone, a second level for fetches, slots for address spaces.</summary>
public sealed class LevelShapeTests
{
    private const ulong Page = 0x40_0000;
    private const ulong Flags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User | PagingEntry.Dirty;

    [Fact]
    public void Serves_PageReadThenWritten_MissesOnceForEachAndWalksOnce()
    {
        using World world = Mapped(1);
        Mmu<Unobserved> mmu = world.Mmu(FuzzMachines.Get("loads-and-stores") with { LookUpEveryAccess = true });
        foreach (AccessKind kind in new[] { AccessKind.Read, AccessKind.Read, AccessKind.Write, AccessKind.Write, AccessKind.Read })
            Touch(mmu, Page, kind);

        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((5ul, 3ul, 2ul), (counted.L1Data.Lookups, counted.L1Data.Hits, counted.L1Data.Misses));
        Assert.Equal((2ul, 1ul), (counted.L2.Lookups, counted.L2.Hits));
        Assert.Equal(1ul, counted.Walks.Count);
        Assert.Equal(2ul, counted.Structures.Single(array => array.Name == "l1d-load-4k").Hits);
        Assert.Equal(1ul, counted.Structures.Single(array => array.Name == "l1d-store").Hits);
    }

    [Fact]
    public void Serves_PageInvalidated_IsInNeitherPart()
    {
        using World world = Mapped(1);
        Mmu<Unobserved> mmu = world.Mmu(FuzzMachines.Get("loads-and-stores") with { LookUpEveryAccess = true });
        Touch(mmu, Page, AccessKind.Read);
        Touch(mmu, Page, AccessKind.Write);

        mmu.InvalidatePage(new LinearAddress(Page));

        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((2ul, 1ul), (counted.L1Data.Invalidations, counted.L2.Invalidations));
    }

    [Theory]
    [InlineData(AccessKind.Read, "l1d-load-4k")]
    [InlineData(AccessKind.Write, "l1d-store")]
    public void Serves_MaskedAddress_SeesThePartOfItsKind(AccessKind kind, string name)
    {
        const ulong MaskUser48 = 1UL << 62;
        using World world = Mapped(1);
        Mmu<Unobserved> mmu = world.Mmu(FuzzMachines.Get("loads-and-stores") with { LookUpEveryAccess = true });
        mmu.SetContext(world.Context with { Cr3 = world.Root | MaskUser48 });
        Touch(mmu, Page, kind);
        Touch(mmu, Page | (0x15UL << 48), kind);

        TlbStatistics array = mmu.Statistics.Structures.Single(each => each.Name == name);
        Assert.Equal((1ul, 1ul), (array.Hits, array.Misses));
    }

    [Fact]
    public void L2Instruction_PageFetchedAndRead_IsWalkedTwiceAndSummedInL2()
    {
        using World world = Mapped(1);
        Mmu<Unobserved> mmu = world.Mmu(FuzzMachines.Get("loads-and-stores") with { LookUpEveryAccess = true });
        Touch(mmu, Page, AccessKind.Fetch);
        Touch(mmu, Page, AccessKind.Read);

        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((2ul, 2ul), (counted.L2.Lookups, counted.Walks.Count));
        Assert.Equal(1ul, counted.Structures.Single(array => array.Name == "l2i").Fills);
        Assert.Equal(1ul, counted.Structures.Single(array => array.Name == "l2").Fills);
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 2)]
    [InlineData(0, 2)]
    public void PcidSlots_TwoOthersRanMeanwhile_EntriesAreKeptWhereThereAreSlots(int? slots, ulong walks)
    {
        using World world = Mapped(1);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Ideal with { L1Data = Machines.Ideal.L1Data with { PcidSlots = slots }, LookUpEveryAccess = true });
        PagingContext tagged = world.Context with { Cr4 = world.Context.Cr4 | Cr4.PcidEnable };
        mmu.SetContext(tagged with { Cr3 = world.Root | 1 });
        Touch(mmu, Page, AccessKind.Read);

        foreach (ulong pcid in new ulong[] { 2, 3, 3, 1 })
            mmu.SetContext(tagged with { Cr3 = world.Root | pcid });
        Touch(mmu, Page, AccessKind.Read);

        Assert.Equal(walks, mmu.Statistics.Walks.Count);
        Assert.Equal(walks - 1, mmu.Statistics.L1Data.Invalidations);
    }

    [Fact]
    public void PcidSlots_GlobalPage_IsNobodys()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, Flags | PagingEntry.Global);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Ideal with { L1Data = Machines.Ideal.L1Data with { PcidSlots = 0 } });
        PagingContext tagged = world.Context with { Cr4 = world.Context.Cr4 | Cr4.PcidEnable | Cr4.PageGlobalEnable };
        mmu.SetContext(tagged with { Cr3 = world.Root | 1 });
        Touch(mmu, Page, AccessKind.Read);
        mmu.SetContext(tagged with { Cr3 = world.Root | 2 });
        Touch(mmu, Page, AccessKind.Read);
        Assert.Equal(1ul, mmu.Statistics.Walks.Count);
    }

    private static World Mapped(int pages)
    {
        var world = new World();
        for (int i = 0; i < pages; i++)
            world.Map(Page + ((ulong)i << 12), 0x8000 + ((ulong)i << 12), PageSize.Size4K, Flags);
        return world;
    }

    private static void Touch(Mmu<Unobserved> mmu, ulong linear, AccessKind kind) =>
        Assert.True(mmu.TryTranslate(new LinearAddress(linear), kind, AccessMode.User, out _));
}
