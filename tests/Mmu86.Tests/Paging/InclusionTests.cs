using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>Second levels that include the first and that exclude it, by hand.</summary>
public sealed class InclusionTests
{
    private const ulong Page = 0x40_0000;
    private const ulong Flags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    [Fact]
    public void Inclusive_EvictedBelow_LeavesBothFirstLevels()
    {
        using World world = Mapped();
        Mmu<Unobserved> mmu = world.Mmu(Machine(Inclusion.Inclusive, first: 4, second: 2));
        Read(mmu, 0);
        Fetch(mmu, 0);
        Read(mmu, 1);
        Read(mmu, 2);

        // Page 0 was the oldest below.
        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((1ul, 1ul, 1ul), (counted.L2.Evictions, counted.L1Data.Invalidations, counted.L1Instruction.Invalidations));
        Read(mmu, 0);
        Assert.Equal(4ul, mmu.Statistics.Walks.Count);
    }

    [Fact]
    public void Inclusive_EvictedBelow_TakesTheSlotOfTheFilterWithIt()
    {
        using World world = Mapped();
        var cpu = new FilteredCpu(world, world.Mmu(Machine(Inclusion.Inclusive, first: 4, second: 2) with { LookUpEveryAccess = false }));
        foreach (int page in new[] { 0, 1, 2, 0 })
            Assert.True(cpu.Access(Page + ((ulong)page << 12), AccessKind.Read, AccessMode.User).Succeeded);
        Assert.Equal(4ul, cpu.Snapshot().L1Data.Misses);
    }

    [Fact]
    public void Inclusive_RunningCode_IsFetchedOneByOne()
    {
        using World world = Mapped();
        Assert.False(world.Mmu(Machine(Inclusion.Inclusive, 4, 2) with { LookUpEveryAccess = false }).FetchesAreSilent);
        Assert.True(world.Mmu(Machine(Inclusion.Exclusive, 4, 2) with { LookUpEveryAccess = false }).FetchesAreSilent);
    }

    [Fact]
    public void Inclusive_PageOfAnotherSizeInTheTables_IsMadeAnewInBothLevels()
    {
        using World world = Mapped();
        Mmu<Unobserved> mmu = world.Mmu(Machine(Inclusion.Inclusive, first: 4, second: 4));
        Read(mmu, 0);
        // A 2 MiB page takes the place of the table, without invalidation, and the write finds a clean entry.
        world.Memory.Write(world.Entry(Page, 2), 0x60_0000 | Flags | PagingEntry.PageSizeBit);

        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Write, AccessMode.User, out Translation translation));

        Assert.Equal((0x60_0000ul, PageSize.Size2M), (translation.Address.Value, translation.EntryPageSize));
        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((1ul, 1ul), (counted.L1Data.Size2M.Fills, counted.L2.Size2M.Fills));
        Assert.Equal((1ul, 1ul), (counted.L1Data.Invalidations, counted.L2.Invalidations));
    }

    [Fact]
    public void Exclusive_Walk_FillsTheFirstLevelOnly()
    {
        using World world = Mapped();
        Mmu<Unobserved> mmu = world.Mmu(Machine(Inclusion.Exclusive, first: 2, second: 4));
        Read(mmu, 0);
        Read(mmu, 1);

        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((2ul, 0ul, 2ul), (counted.L1Data.Fills, counted.L2.Fills, counted.L2.Misses));
        StatisticsRules.Hold(counted);
    }

    [Fact]
    public void Exclusive_VictimAndHit_ChangePlaces()
    {
        using World world = Mapped();
        Mmu<Unobserved> mmu = world.Mmu(Machine(Inclusion.Exclusive, first: 2, second: 4));
        foreach (int page in new[] { 0, 1, 2 })
            Read(mmu, page);
        Assert.Equal((1ul, 0ul), (mmu.Statistics.L2.Fills, mmu.Statistics.L2.Evictions));

        // Page 0 comes back and page 1 goes.
        Read(mmu, 0);

        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((1ul, 2ul, 1ul, 3ul), (counted.L2.Hits, counted.L2.Fills, counted.L2.Evictions, counted.Walks.Count));
        StatisticsRules.Hold(counted);
    }

    private static MmuConfiguration Machine(Inclusion inclusion, int first, int second) => Machines.Uncached with
    {
        L1Instruction = Machines.Level(Machines.Array("l1i", ["4k", "2m"], 1, first, Replacement.Fifo)),
        L1Data = Machines.Level(Machines.Array("l1d", ["4k", "2m"], 1, first, Replacement.Fifo)),
        L2 = Machines.Level(Machines.Array("l2", ["4k", "2m"], 1, second, Replacement.Fifo)) with { Inclusion = inclusion },
    };

    private static World Mapped()
    {
        var world = new World();
        for (ulong i = 0; i < 8; i++)
            world.Map(Page + (i << 12), 0x8000 + (i << 12), PageSize.Size4K, Flags);
        return world;
    }

    private static void Read(Mmu<Unobserved> mmu, int page) =>
        Assert.True(mmu.TryTranslate(new LinearAddress(Page + ((ulong)page << 12)), AccessKind.Read, AccessMode.User, out _));

    private static void Fetch(Mmu<Unobserved> mmu, int page) =>
        Assert.True(mmu.TryTranslate(new LinearAddress(Page + ((ulong)page << 12)), AccessKind.Fetch, AccessMode.User, out _));
}
