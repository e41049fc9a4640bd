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
    [InlineData(Frame + 0x6000, Flags | PagingEntry.Global)]
    [InlineData(Frame + 0x6000, Flags | (1UL << PagingEntry.ProtectionKeyShift))]
    [InlineData(Frame + 0x6000, Flags & ~PagingEntry.Present)]
    public void Walk_OnePageThatDiffers_LeavesEachPageItsOwnEntry(ulong frame, ulong flags)
    {
        using World world = Mapped(pages: 16);
        world.Map(Page + 0x6000, frame, PageSize.Size4K, flags);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 4);
        Touch(mmu, 5);
        Assert.Equal(2ul, mmu.Statistics.Walks.Count);
    }

    [Theory]
    [InlineData(1UL << 9)]
    [InlineData(1UL << 11)]
    [InlineData(1UL << 52)]
    [InlineData(1UL << 58)]
    public void Walk_OnePageThatDiffersInABitNobodyReads_MakesOneEntryForAll(ulong ignored)
    {
        using World world = Mapped(pages: 16);
        world.Map(Page + 0x6000, Frame + 0x6000, PageSize.Size4K, Flags | ignored);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 4);
        Touch(mmu, 6);
        Assert.Equal(1ul, mmu.Statistics.Walks.Count);
    }

    [Fact]
    public void Walk_OfEntriesOfFourBytes_MakesOneEntryForAll()
    {
        using var world = new World();
        ulong table = world.NewGuestTable();
        world.Memory.Write(new HostPhysicalAddress(world.Root + ((Page >> 22) * 4)), (uint)(table | Flags));
        for (ulong i = 0; i < 16; i++)
            world.Memory.Write(new HostPhysicalAddress(table + (i * 4)), (uint)(Frame + (i << 12) | Flags));
        Mmu<Unobserved> mmu = world.Mmu(Machine(), new PagingContext
        {
            Cr0 = Cr0.ProtectionEnable | Cr0.Paging,
            Cr3 = world.Root,
            Cr4 = Cr4.None,
            Efer = Efer.None,
            Eptp = 0,
            Vpid = 0,
        });
        Touch(mmu, 5);
        Assert.Equal(Frame + 0x6123, Touch(mmu, 6));
        Assert.Equal((1ul, 2ul), (mmu.Statistics.Walks.Count, mmu.Statistics.Walks.References));
    }

    [Fact]
    public void Walk_WithPagingOff_LeavesEachPageItsOwnEntry()
    {
        using World world = Mapped(pages: 16);
        Mmu<Unobserved> mmu = world.Mmu(Machine(), world.Context with { Cr0 = Cr0.ProtectionEnable });
        Touch(mmu, 4);
        Touch(mmu, 5);
        Assert.Equal(2ul, mmu.Statistics.L1Data.Fills);
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void NestedWalk_OfAGroupThatIsOneInTheHostToo_AnswersForEveryPageOfIt(PageSize eptPage)
    {
        using World world = Mapped(pages: 16, nested: true, eptPage);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        var references = (ulong)world.Mmu(Machines.Uncached).Inspect(new LinearAddress(Page + 0x5000), AccessKind.Read, AccessMode.User).MemoryReferences;
        Touch(mmu, 5);
        for (int page = 4; page < 8; page++)
            Assert.Equal(world.Host(Frame + ((ulong)page << 12) + 0x123), Touch(mmu, page));
        Assert.Equal((1ul, references), (mmu.Statistics.Walks.Count, mmu.Statistics.Walks.References));
    }

    [Theory]
    [InlineData(0x1_0000UL, EptEntry.Rights)]
    [InlineData(0UL, EptEntry.Read | EptEntry.Write)]
    public void NestedWalk_OnePageThatTheHostMapsOtherwise_LeavesEachPageItsOwnEntry(ulong moved, ulong rights)
    {
        using World world = Mapped(pages: 16, nested: true, PageSize.Size4K);
        world.MapEpt(Frame + 0x6000, world.Host(Frame + 0x6000 + moved), PageSize.Size4K, rights);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 4);
        Touch(mmu, 5);
        Assert.Equal(2ul, mmu.Statistics.Walks.Count);
    }

    [Fact]
    public void NestedWalk_WithFlagsOfEpt_SetsTheAccessedFlagOfEachPage()
    {
        using World world = Mapped(pages: 16, nested: true, PageSize.Size4K);
        Mmu<Unobserved> mmu = world.Mmu(Machine(), world.Context with { Eptp = world.Context.Eptp | EptPointer.AccessedAndDirty });
        for (int page = 4; page < 8; page++)
            Touch(mmu, page);
        for (ulong page = 4; page < 8; page++)
            Assert.Equal(EptEntry.Accessed, world.Read(world.EptEntryAt(Frame + (page << 12), 1)) & EptEntry.Accessed);
        Assert.Equal(4ul, mmu.Statistics.Walks.Count);
    }

    // The host cleared the dirty flags of EPT without INVEPT: the nested TLB may go on to say that the page walked for is dirty, but nothing says so of
    // its neighbours.
    [Fact]
    public void NestedWalk_AnsweredByAStaleNestedTlb_ClaimsNoDirtyFlagForNeighbours()
    {
        using World world = Mapped(pages: 16, nested: true, PageSize.Size4K);
        Mmu<Unobserved> mmu = world.Mmu(
            Machine() with { StructureCaches = Machines.Caches() },
            world.Context with { Eptp = world.Context.Eptp | EptPointer.AccessedAndDirty });
        Touch(mmu, 5, AccessKind.Write);
        for (ulong page = 4; page < 8; page++)
            world.Change(world.EptEntryAt(Frame + (page << 12), 1), EptEntry.Dirty, EptEntry.Accessed);
        mmu.InvalidatePage(new LinearAddress(Page + 0x5000));
        Touch(mmu, 5, AccessKind.Write);

        Touch(mmu, 6, AccessKind.Write);

        Assert.Equal(EptEntry.Dirty, world.Read(world.EptEntryAt(Frame + 0x6000, 1)) & EptEntry.Dirty);
    }

    // What the guest's tables grant is asked again for the neighbours, and must be what this walk found, not the one before.
    [Fact]
    public void NestedWalk_AnsweredByTheNestedTlbBehindAWalkWithOtherRights_AnswersForItsGroup()
    {
        using World world = Mapped(pages: 16, nested: true, PageSize.Size4K);
        world.Map(Page + 0x2_0000, Frame + 0x10_0000, PageSize.Size4K, Flags & ~PagingEntry.Writable);
        Mmu<Unobserved> mmu = world.Mmu(Machine() with { StructureCaches = Machines.Caches() });
        Touch(mmu, 5);
        mmu.InvalidatePage(new LinearAddress(Page + 0x5000));
        Touch(mmu, 5);
        Touch(mmu, 32);
        mmu.InvalidatePage(new LinearAddress(Page + 0x5000));
        ulong answered = mmu.Statistics.Walks.StructureCaches.Single(cache => cache.Name == "nestedTlb").Hits;

        Touch(mmu, 5);
        Touch(mmu, 6);

        Assert.Equal(4ul, mmu.Statistics.Walks.Count);
        Assert.True(mmu.Statistics.Walks.StructureCaches.Single(cache => cache.Name == "nestedTlb").Hits > answered);
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
    public void Write_OfTheLastCleanPage_MakesOneEntryOfAll()
    {
        using var world = new World();
        for (ulong i = 0; i < 16; i++)
            world.Map(Page + (i << 12), Frame + (i << 12), PageSize.Size4K, Flags & ~PagingEntry.Dirty);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        for (int page = 4; page < 8; page++)
            Touch(mmu, page, AccessKind.Write);
        ulong walks = mmu.Statistics.Walks.Count;
        // Pages 4 to 6 have entries of their own besides.
        mmu.InvalidatePage(new LinearAddress(Page + 0x8000));
        Touch(mmu, 7, AccessKind.Write);
        Assert.Equal((4ul, walks), (walks, mmu.Statistics.Walks.Count));
        mmu.InvalidatePage(new LinearAddress(Page + 0x4000));
        Touch(mmu, 7, AccessKind.Write);
        Assert.Equal(5ul, mmu.Statistics.Walks.Count);
    }

    // No entry of the group suffices where a right was added: the page that asked has an entry of its own, its neighbours ask anew.
    [Fact]
    public void Write_ToThePageThatAloneBecameWritable_PartsItFromItsGroup()
    {
        using var world = new World();
        for (ulong i = 0; i < 16; i++)
            world.Map(Page + (i << 12), Frame + (i << 12), PageSize.Size4K, Flags & ~PagingEntry.Writable);
        Mmu<Unobserved> mmu = world.Mmu(Machine());
        Touch(mmu, 5);
        world.Change(world.Entry(Page + 0x6000, 1), 0, PagingEntry.Writable);

        Touch(mmu, 6, AccessKind.Write);

        Assert.False(mmu.TryTranslate(new LinearAddress(Page + 0x5000), AccessKind.Write, AccessMode.User, out _));
        Touch(mmu, 5);
        MmuStatistics counted = mmu.Statistics;
        Assert.Equal((2ul, 1ul, 1ul), (counted.Walks.Miss, counted.Walks.Rights, counted.Walks.Faulted));
        StatisticsRules.Hold(counted);
    }

    [Fact]
    public void Filter_OfAGroup_ForgetsEveryPageWithIt()
    {
        using World world = Mapped(pages: 16);
        var cpu = new FilteredCpu(world, world.Mmu(Machine() with { LookUpEveryAccess = false }));
        for (int round = 0; round < 2; round++)
        {
            for (ulong page = 4; page < 8; page++)
                Assert.True(cpu.Access(Page + (page << 12), AccessKind.Read, AccessMode.User).Succeeded);
        }

        Assert.Equal(4ul, cpu.Silent);
        cpu.Mmu.InvalidatePage(new LinearAddress(Page + 0x7000));
        world.Map(Page + 0x5000, Frame + 0x9000, PageSize.Size4K, Flags);
        Assert.Equal(Frame + 0x9000, cpu.Access(Page + 0x5000, AccessKind.Read, AccessMode.User).Host);
        Assert.Equal(4ul, cpu.Silent);
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

    private static World Mapped(ulong pages, bool nested = false, PageSize eptPage = PageSize.Size4K)
    {
        var world = new World(nested, eptPage);
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
