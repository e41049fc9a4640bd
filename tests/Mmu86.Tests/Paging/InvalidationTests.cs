using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>What each invalidation removes, and what it leaves. The ids are rows of the conformance checklist.</summary>
public sealed class InvalidationTests
{
    private const ulong Page = 0x40_0000;
    private const ulong Neighbour = 0x40_1000;
    private const ulong Far = 0x5555_0000_0000;
    private const ulong UserPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    // What a second access to a page finds: nothing (a full walk), or a cached translation.
    private static bool IsCached(Mmu<Unobserved> mmu, ulong page)
    {
        ulong walks = mmu.Statistics.Walks.Count;
        Assert.True(mmu.TryTranslate(new LinearAddress(page), AccessKind.Read, AccessMode.User, out _));
        return mmu.Statistics.Walks.Count == walks;
    }

    private static World Build(out Mmu<Unobserved> mmu, bool nested = false, ulong flags = 0, MmuConfiguration? machine = null, PagingContext? context = null)
    {
        var world = new World(nested);
        foreach (ulong page in new[] { Page, Neighbour, Far })
            world.Map(page, 0x8000 + (page & 0x1000), PageSize.Size4K, UserPage | flags);
        mmu = world.Mmu(machine ?? Machines.Skylake, context);
        foreach (ulong page in new[] { Page, Neighbour, Far })
            Assert.False(IsCached(mmu, page));
        return world;
    }

    private static PagingContext WithPcid(World world, ushort pcid) =>
        world.Context with { Cr4 = world.Context.Cr4 | Cr4.PcidEnable, Cr3 = world.Root | pcid };

    [Fact]
    [Rule("T06")]
    public void Invlpg_Page_RemovesItAndNoOther()
    {
        using World world = Build(out Mmu<Unobserved> mmu);

        mmu.InvalidatePage(new LinearAddress(Page + 0xFFF));

        Assert.True(IsCached(mmu, Neighbour));
        Assert.False(IsCached(mmu, Page));
        Assert.True(IsCached(mmu, Page));
    }

    [Fact]
    [Rule("T06")]
    [Rule("T22")]
    public void Invlpg_AnyPage_RemovesStructureCacheEntriesOfEveryAddress()
    {
        // T06, T22: the walk for the far page reads all four tables again.
        using World world = Build(out Mmu<Unobserved> mmu);
        world.Map(Far + 0x1000, 0x9000, PageSize.Size4K, UserPage);

        mmu.InvalidatePage(new LinearAddress(Page));

        WalkStatistics before = mmu.Statistics.Walks;
        Assert.False(IsCached(mmu, Far + 0x1000));
        Assert.Equal(4ul, mmu.Statistics.Walks.Since(before).References);
    }

    [Fact]
    [Rule("T02")]
    [Rule("T06")]
    [Rule("T22")]
    public void Invlpg_StructureCachesOfAnotherPcid_Stay()
    {
        using World world = Build(out Mmu<Unobserved> mmu);
        mmu.SetContext(WithPcid(world, 3));
        Assert.False(IsCached(mmu, Page));
        mmu.SetContext(WithPcid(world, 4));

        mmu.InvalidatePage(new LinearAddress(Page));

        mmu.SetContext(WithPcid(world, 3));
        WalkStatistics before = mmu.Statistics.Walks;
        Assert.False(IsCached(mmu, Neighbour));
        Assert.Equal(1ul, mmu.Statistics.Walks.Since(before).References);
    }

    [Fact]
    [Rule("T06")]
    public void Invlpg_NonCanonicalAddress_DoesNothing()
    {
        using World world = Build(out Mmu<Unobserved> mmu);

        mmu.InvalidatePage(new LinearAddress(Page | (1UL << 60)));

        Assert.True(IsCached(mmu, Page));
        Assert.Equal(0ul, mmu.Statistics.L2.Invalidations);
    }

    [Fact]
    [Rule("T06")]
    [Rule("T21")]
    public void Invlpg_GlobalPageOfAnotherPcid_IsRemoved()
    {
        using World world = Build(out Mmu<Unobserved> mmu, flags: PagingEntry.Global);
        mmu.SetContext(WithPcid(world, 9));
        Assert.True(IsCached(mmu, Page));

        mmu.InvalidatePage(new LinearAddress(Page));

        Assert.False(IsCached(mmu, Page));
        Assert.True(IsCached(mmu, Neighbour));
    }

    [Theory]
    [InlineData(PageSize.Size2M, "skylake")]
    [InlineData(PageSize.Size1G, "skylake")]
    [InlineData(PageSize.Size2M, "small-pages-only")]
    [InlineData(PageSize.Size1G, "two-arrays")]
    [Rule("T11")]
    [Rule("N12")]
    public void Invlpg_AnyAddressOfALargePage_RemovesEveryPiece(PageSize size, string machine)
    {
        // T11. Where the machine lacks the size, pieces are spread over sets and arrays.
        using var world = new World();
        const ulong Large = 0x80_0000_0000;
        world.Map(Large, 0, size, UserPage);
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(FuzzMachines.Get(machine));
        for (ulong piece = 0; piece < 5; piece++)
            IsCached(mmu, Large + (piece * 0x3000));
        IsCached(mmu, Page);

        mmu.InvalidatePage(new LinearAddress(Large + 0x1F_0123));

        ulong walks = mmu.Statistics.Walks.Count;
        Assert.True(IsCached(mmu, Page));
        Assert.False(IsCached(mmu, Large + 0x6000));
        MmuStatistics statistics = mmu.Statistics;
        Assert.Equal(statistics.L1Data.Fills - 2, statistics.L1Data.Invalidations + statistics.L1Data.Evictions);
        Assert.Equal(walks + 1, statistics.Walks.Count);
    }

    [Fact]
    [Rule("T11")]
    public void Invlpg_SmallEptPagesBelowALargeGuestPage_RemovesEveryPiece()
    {
        using var world = new World(nested: true, PageSize.Size4K);
        world.Map(0x20_0000, 0x20_0000, PageSize.Size2M, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        for (ulong page = 0x20_0000; page < 0x20_0000 + (300 << 12); page += 0x1000)
            Assert.False(IsCached(mmu, page));

        mmu.InvalidatePage(new LinearAddress(0x3F_FFFF));

        for (ulong page = 0x20_0000; page < 0x20_0000 + (300 << 12); page += 0x1000)
            Assert.False(IsCached(mmu, page));
    }

    [Theory]
    [InlineData(0, 0, IndexHash.Linear)]
    [InlineData(8192, 4, IndexHash.Linear)]
    [InlineData(8192, 4, IndexHash.Xor)]
    [InlineData(512, 40, IndexHash.Linear)]
    [InlineData(7, 2000, IndexHash.Linear)]
    public void Invlpg_RandomPagesInPieces_RemovesThePiecesAndNoOther(int sets, int ways, IndexHash hash)
    {
        // Room for all: what is cached is known. The last page is small pages, and some spaces end with their pieces in the array.
        const ulong Pages = 24;
        using var world = new World();
        for (ulong page = 0; page < Pages - 1; page++)
            world.Map(Far + (page << 21), page << 21, PageSize.Size2M, UserPage);
        for (ulong at = 0; at < 1UL << 21; at += 4096)
            world.Map(Far + ((Pages - 1) << 21) + at, at, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Uncached with { L1Data = Machines.Level(Machines.Array("l1d", ["4k"], sets, ways, Replacement.Lru, hash)) });
        var random = TestSeed.Case(sets + ways);
        var cached = new HashSet<ulong>();
        for (int step = 0; step < 30_000; step++)
        {
            ulong address = Far + ((ulong)random.Next((int)Pages << 9) << 12);
            switch (random.Next(200))
            {
                case 0 when random.Next(20) == 0:
                    mmu.InvalidateAll();
                    cached.Clear();
                    break;
                case < 20:
                    mmu.InvalidatePage(new LinearAddress(address));
                    ulong large = address - Far >= (Pages - 1) << 21 ? address >> 12 : address >> 21;
                    int shift = large == address >> 12 ? 12 : 21;
                    cached.RemoveWhere(page => page >> shift == large);
                    break;
                default:
                    Assert.Equal(!cached.Add(address), IsCached(mmu, address));
                    break;
            }
        }
    }

    [Fact]
    public void Invlpg_OneOfManyLargePagesInPieces_LeavesTheOthersUntilItIsTheirTurn()
    {
        // The look at all entries that one INVLPG needs must not let the next one forget what is there.
        const int Pages = 20;
        using var world = new World(nested: true, PageSize.Size4K);
        for (ulong page = 1; page <= Pages; page++)
            world.Map(page << 21, page << 21, PageSize.Size2M, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        for (ulong page = 1; page <= Pages; page++)
        {
            Assert.False(IsCached(mmu, page << 21));
            Assert.False(IsCached(mmu, (page << 21) + 0x5000));
        }

        for (ulong page = 1; page <= Pages; page++)
        {
            mmu.InvalidatePage(new LinearAddress((page << 21) + 0x1F_F000));
            mmu.InvalidatePage(new LinearAddress(0x7F00_0000_0000));
            for (ulong other = page + 1; other <= Pages; other++)
                Assert.True(IsCached(mmu, (other << 21) + 0x5000));
            Assert.False(IsCached(mmu, (page << 21) + 0x5000));
        }
    }

    [Fact]
    [Rule("T07")]
    [Rule("T21")]
    public void Invpcid0_AnotherPcid_RemovesItsPageAndNoGlobal()
    {
        using World world = Build(out Mmu<Unobserved> mmu);
        world.Change(world.Entry(Far, 1), 0, PagingEntry.Global);
        mmu.InvalidateAll();
        mmu.SetContext(WithPcid(world, 3));
        foreach (ulong page in new[] { Page, Neighbour, Far })
            Assert.False(IsCached(mmu, page));
        mmu.SetContext(WithPcid(world, 4));
        Assert.False(IsCached(mmu, Page));

        mmu.InvalidatePage(new LinearAddress(Page), 3);
        mmu.InvalidatePage(new LinearAddress(Far), 3);

        Assert.True(IsCached(mmu, Page));
        mmu.SetContext(WithPcid(world, 3));
        Assert.False(IsCached(mmu, Page));
        Assert.True(IsCached(mmu, Neighbour));
        Assert.True(IsCached(mmu, Far));
    }

    [Fact]
    [Rule("T08")]
    [Rule("T21")]
    public void MovCr3_WithoutKeepHint_LeavesGlobalsAndOtherPcids()
    {
        // T08, T21.
        using World world = Build(out Mmu<Unobserved> mmu);
        world.Change(world.Entry(Far, 1), 0, PagingEntry.Global);
        mmu.InvalidateAll();
        mmu.SetContext(WithPcid(world, 3));
        IsCached(mmu, Page);
        mmu.SetContext(WithPcid(world, 4));
        IsCached(mmu, Page);
        IsCached(mmu, Far);

        mmu.InvalidatePcid(4);

        Assert.True(IsCached(mmu, Far));
        Assert.False(IsCached(mmu, Page));
        mmu.SetContext(WithPcid(world, 3));
        Assert.True(IsCached(mmu, Page));
    }

    [Fact]
    [Rule("T21")]
    public void GlobalPage_AnotherPcidMapsItElsewhere_IsServedAllTheSame()
    {
        // T21: it serves another PCID even where that PCID's tables differ.
        using World world = Build(out Mmu<Unobserved> mmu, flags: PagingEntry.Global);
        ulong otherRoot = world.NewGuestTable();
        world.Map(Page, 0x9000, PageSize.Size4K, UserPage, otherRoot);

        mmu.SetContext(WithPcid(world, 5) with { Cr3 = otherRoot | 5 });

        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Read, AccessMode.User, out Translation translation));
        Assert.Equal(0x8000ul, translation.Address.Value);
    }

    [Fact]
    [Rule("T21")]
    public void GlobalFlag_WithPgeClear_IsIgnored()
    {
        using World world = Build(out Mmu<Unobserved> mmu, flags: PagingEntry.Global);
        mmu.InvalidateAll();
        PagingContext withoutGlobals = world.Context with { Cr4 = Cr4.PhysicalAddressExtension };
        mmu.SetContext(withoutGlobals);
        Assert.False(IsCached(mmu, Page));

        mmu.InvalidatePcid(0);
        mmu.SetContext(withoutGlobals);

        Assert.False(IsCached(mmu, Page));
    }

    [Fact]
    [Rule("T07")]
    [Rule("T21")]
    public void InvalidateAllNonGlobal_EveryPcid_LeavesGlobals()
    {
        using World world = Build(out Mmu<Unobserved> mmu);
        world.Change(world.Entry(Far, 1), 0, PagingEntry.Global);
        mmu.InvalidateAll();
        mmu.SetContext(WithPcid(world, 3));
        IsCached(mmu, Page);
        IsCached(mmu, Far);
        mmu.SetContext(WithPcid(world, 4));
        IsCached(mmu, Page);

        mmu.InvalidateAllNonGlobal();

        Assert.True(IsCached(mmu, Far));
        Assert.False(IsCached(mmu, Page));
        mmu.SetContext(WithPcid(world, 3));
        Assert.False(IsCached(mmu, Page));
    }

    [Fact]
    public void InvalidateAll_GlobalsToo_OfThisVpidOnly()
    {
        using World world = Build(out Mmu<Unobserved> mmu, nested: true, flags: PagingEntry.Global);
        mmu.SetContext(world.Context with { Vpid = 2 });
        IsCached(mmu, Page);

        mmu.InvalidateAll();

        Assert.False(IsCached(mmu, Page));
        mmu.SetContext(world.Context);
        Assert.True(IsCached(mmu, Page));
    }

    [Fact]
    [Rule("F07")]
    public void PageFault_ItsPage_LosesTlbEntriesAndTheStructureEntriesThatServeIt()
    {
        // F07: the entries that would serve the address, and no others.
        using World world = Build(out Mmu<Unobserved> mmu);
        world.Map(Page + 0x2000, 0x8000, PageSize.Size4K, UserPage);
        world.Map(Far + 0x2000, 0x8000, PageSize.Size4K, UserPage);

        mmu.InvalidateAfterPageFault(new LinearAddress(Page));

        Assert.True(IsCached(mmu, Neighbour));
        WalkStatistics before = mmu.Statistics.Walks;
        Assert.False(IsCached(mmu, Far + 0x2000));
        // The PDE, PDPTE and PML4E caches of the far address are untouched.
        Assert.Equal(1ul, mmu.Statistics.Walks.Since(before).References);
        before = mmu.Statistics.Walks;
        Assert.False(IsCached(mmu, Page));
        Assert.Equal(4ul, mmu.Statistics.Walks.Since(before).References);
    }

    [Fact]
    [Rule("E15")]
    public void Invept1_OneRoot_DropsItsCombinedAndGuestPhysicalMappings()
    {
        // E15. The low bits of the EPT pointer are no part of the tag.
        using World world = Build(out Mmu<Unobserved> mmu, nested: true);

        mmu.InvalidateEptContext(0x7000 | EptPointer.FourLevels | EptPointer.WriteBack);
        Assert.True(IsCached(mmu, Page));
        mmu.InvalidateEptContext(world.Context.Eptp | EptPointer.AccessedAndDirty);

        WalkStatistics before = mmu.Statistics.Walks;
        Assert.False(IsCached(mmu, Page));
        WalkStatistics walk = mmu.Statistics.Walks.Since(before);
        Assert.Equal(4ul, walk.GuestReferences);
        // The first table is found by a whole EPT walk, those near it by its last level.
        Assert.True(walk.EptReferences >= 4);
    }

    [Fact]
    [Rule("E15")]
    [Rule("E11")]
    public void Invept2_AllRoots_LeavesLinearMappings()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        Assert.False(IsCached(mmu, Page));

        mmu.InvalidateEptAll();

        Assert.True(IsCached(mmu, Page));
    }

    [Fact]
    [Rule("E14")]
    public void Invvpid1_OneVpid_LeavesGuestPhysicalMappings()
    {
        // E14: linear and combined only, so the walk's EPT side stays warm.
        using World world = Build(out Mmu<Unobserved> mmu, nested: true);

        mmu.InvalidateVpid(7);
        Assert.True(IsCached(mmu, Page));
        mmu.InvalidateVpid(1);

        WalkStatistics before = mmu.Statistics.Walks;
        Assert.False(IsCached(mmu, Page));
        WalkStatistics walk = mmu.Statistics.Walks.Since(before);
        Assert.Equal(4ul, walk.GuestReferences);
        Assert.Equal(0ul, walk.EptReferences);
    }

    [Fact]
    [Rule("E15")]
    public void Invlpg_InAGuest_RemovesCombinedMappingsOfEveryRoot()
    {
        using var world = new World(nested: true);
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        // A second EPT root whose PML4E is the same.
        ulong second = world.NewEptTable();
        world.Memory.Write(new HostPhysicalAddress(second), world.Memory.Read<ulong>(new HostPhysicalAddress(world.EptRoot)));
        PagingContext there = world.Context with { Eptp = second | EptPointer.FourLevels | EptPointer.WriteBack };
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        Assert.False(IsCached(mmu, Page));
        mmu.SetContext(there);
        Assert.False(IsCached(mmu, Page));

        mmu.InvalidatePage(new LinearAddress(Page));

        Assert.False(IsCached(mmu, Page));
        mmu.SetContext(world.Context);
        Assert.False(IsCached(mmu, Page));
    }

    [Fact]
    [Rule("E12")]
    public void EptViolation_OnTheFinalAddress_DropsCombinedAndGuestPhysicalMappings()
    {
        // E12.
        using World world = Build(out Mmu<Unobserved> mmu, nested: true);
        world.Change(world.EptEntryAt(0x8000, 1), EptEntry.Write, 0);
        mmu.InvalidateEptAll();
        Assert.False(IsCached(mmu, Page));
        Assert.True(IsCached(mmu, Page));

        Assert.False(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Write, AccessMode.User, out _));

        Assert.Equal(TranslationFailure.EptViolation, mmu.Fault.Failure);
        WalkStatistics before = mmu.Statistics.Walks;
        Assert.False(IsCached(mmu, Page));
        // The final guest-physical page is walked again: the guest's PTE, then EPT down to the page.
        WalkStatistics walk = mmu.Statistics.Walks.Since(before);
        Assert.Equal(1ul, walk.GuestReferences);
        Assert.True(walk.EptReferences > 0);
    }

    [Fact]
    public void Anything_ManyMoreSpacesThanTags_StaysRight()
    {
        // More address spaces than the tag can name: some are forgotten, which is legal, and none is confused with another.
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        ulong otherRoot = world.NewGuestTable();
        world.Map(Page, 0x9000, PageSize.Size4K, UserPage, otherRoot);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        for (int i = 0; i < 3 * Tag.Spaces; i++)
        {
            ushort pcid = (ushort)(i % 4096);
            bool second = pcid % 2 == 1;
            // PCIDs of two VPIDs that never meet.
            mmu.SetContext(WithPcid(world, pcid) with { Cr3 = (second ? otherRoot : world.Root) | pcid, Vpid = (ushort)(i / 4096 % 3) });
            Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Read, AccessMode.User, out Translation translation));
            Assert.Equal(second ? 0x9000ul : 0x8000ul, translation.Address.Value);
        }

        StatisticsRules.Hold(mmu.Statistics);
    }

    [Fact]
    public void MovCr3_ManyMoreTimesThanTags_NeverServesAnOldEntry()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        for (int i = 0; i < (2 * Tag.Spaces) + 100; i++)
        {
            world.Memory.Write(world.Entry(Page, 1), (0x8000 + ((ulong)(i & 63) << 12)) | UserPage);
            mmu.InvalidatePcid(0);
            mmu.SetContext(world.Context);
            Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Read, AccessMode.User, out Translation translation));
            Assert.Equal(0x8000 + ((ulong)(i & 63) << 12), translation.Address.Value);
        }

        MmuStatistics statistics = mmu.Statistics;
        Assert.Equal(statistics.L1Data.Fills - 1, statistics.L1Data.Invalidations);
        Assert.Equal(0ul, statistics.L1Data.Evictions);
    }
}
