using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>One entry for several contiguous pages: when it is made, what it answers, and what takes it away.</summary>
public sealed class CoalescingTests
{
    private const ulong Page = 0x40_0000;
    private const ulong Frame = 0x80_0000;
    private const ulong Flags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User | PagingEntry.Accessed | PagingEntry.Dirty;

    [Fact]
    public void Walk_OfAContiguousGroup_AnswersForEveryPageOfIt()
    {
        using World world = Mapped(pages: 16);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 5);
        for (int page = 4; page < 8; page++)
            Assert.Equal(Frame + ((ulong)page << 12) + 0x123, Touch(mmu, page));
        Assert.Equal((1ul, 4ul, 1ul), (mmu.Statistics.Walks.Count, mmu.Statistics.L1Data.Hits, mmu.Statistics.L1Data.Fills));

        // Neighbours of another group have another entry.
        Touch(mmu, 8);
        Assert.Equal(2ul, mmu.Statistics.Walks.Count);
        StatisticsRules.Hold(mmu.Statistics);
    }

    [Fact]
    public void Walk_MakesNoMoreReferencesForAGroup()
    {
        using World world = Mapped(pages: 16);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 5);
        Assert.Equal(4ul, mmu.Statistics.Walks.References);
    }

    [Theory]
    [InlineData(Frame + 0x1_0000, Flags)] // another frame
    [InlineData(Frame + 0x6000, Flags & ~PagingEntry.Writable)]
    [InlineData(Frame + 0x6000, Flags & ~PagingEntry.Accessed)]
    [InlineData(Frame + 0x6000, Flags & ~PagingEntry.Dirty)]
    [InlineData(Frame + 0x6000, Flags | PagingEntry.ExecuteDisable)]
    [InlineData(Frame + 0x6000, Flags | PagingEntry.PageCacheDisable)]
    public void Walk_OnePageThatDiffers_LeavesEachPageItsOwnEntry(ulong frame, ulong flags)
    {
        using World world = Mapped(pages: 16);
        world.Map(Page + 0x6000, frame, PageSize.Size4K, flags);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 4);
        Touch(mmu, 5);
        Assert.Equal(2ul, mmu.Statistics.Walks.Count);
    }

    [Fact]
    public void Walk_OfFramesThatAreContiguousAndNotAligned_LeavesEachPageItsOwnEntry()
    {
        using var world = new World();
        for (ulong i = 0; i < 16; i++)
            world.Map(Page + (i << 12), Frame + 0x1000 + (i << 12), PageSize.Size4K, Flags);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 4);
        Touch(mmu, 5);
        Assert.Equal(2ul, mmu.Statistics.Walks.Count);
    }

    [Fact]
    public void InvalidatePage_OfAnyPageOfTheGroup_DropsTheEntry()
    {
        for (int invalidated = 4; invalidated < 8; invalidated++)
        {
            using World world = Mapped(pages: 16);
            Mmu<Unobserved> mmu = world.Mmu(Machine());
            Touch(mmu, 5);
            world.Map(Page + 0x6000, Frame + 0x9000, PageSize.Size4K, Flags);
            mmu.InvalidatePage(new LinearAddress(Page + ((ulong)invalidated << 12)));
            Assert.Equal(Frame + 0x9123, Touch(mmu, 6));
            Assert.Equal(2ul, mmu.Statistics.Walks.Count);
        }
    }

    [Fact]
    public void Write_ToACleanGroup_GivesThePageAnEntryOfItsOwnThatAloneSaysDirty()
    {
        using var world = new World();
        for (ulong i = 0; i < 16; i++)
            world.Map(Page + (i << 12), Frame + (i << 12), PageSize.Size4K, Flags & ~PagingEntry.Dirty);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 5);
        Touch(mmu, 6, AccessKind.Write);

        Assert.Equal(1ul, mmu.Statistics.Walks.Dirty);
        Assert.Equal(PagingEntry.Dirty, world.Read(world.Entry(Page + 0x6000, 1)) & PagingEntry.Dirty);
        // Whatever answers for its neighbours now does not claim that they are dirty: a write must set the flag.
        Touch(mmu, 7, AccessKind.Write);
        Assert.Equal(PagingEntry.Dirty, world.Read(world.Entry(Page + 0x7000, 1)) & PagingEntry.Dirty);
    }

    [Fact]
    public void GroupsOnly_PagesThatDoNotBelongTogether_AreNotHeld()
    {
        using World world = Mapped(pages: 16);
        world.Map(Page + 0x6000, Frame + 0x1_0000, PageSize.Size4K, Flags);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Uncached with { L1Data = Machines.Level(Machines.Array("groups", [], 1, 4) with { CoalescedPages = 4 }) });
        Touch(mmu, 4);
        Touch(mmu, 4);
        Touch(mmu, 8);
        Touch(mmu, 9);
        Assert.Equal((3ul, 1ul), (mmu.Statistics.Walks.Count, mmu.Statistics.L1Data.Fills));
    }

    [Fact]
    public void Reach_OfAChase_IsThatManyTimesTheEntries()
    {
        using World world = Mapped(pages: 64);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Uncached with { L1Data = Machines.Level(Machines.Array("l1d", ["4k"], 1, 8, Replacement.Lru) with { CoalescedPages = 8 }) });
        for (int round = 0; round < 3; round++)
        {
            for (int page = 0; page < 64; page++)
                Touch(mmu, page);
        }

        Assert.Equal(8ul, mmu.Statistics.Walks.Count);
    }

    private static World Mapped(ulong pages)
    {
        var world = new World();
        for (ulong i = 0; i < pages; i++)
            world.Map(Page + (i << 12), Frame + (i << 12), PageSize.Size4K, Flags);
        return world;
    }

    private static MmuConfiguration Machine() => Machines.Uncached with
    {
        L1Data = Machines.Level(Machines.Array("l1d", ["4k"], 4, 4) with { CoalescedPages = 4 }),
    };

    private static ulong Touch(Mmu<Unobserved> mmu, int page, AccessKind kind = AccessKind.Read)
    {
        Assert.True(mmu.TryTranslate(new LinearAddress(Page + ((ulong)page << 12) + 0x123), kind, AccessMode.User, out Translation translation));
        return translation.Address.Value;
    }
}
