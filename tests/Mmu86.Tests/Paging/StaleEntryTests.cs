using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>Entries that are older than the tables: what they may still answer, and when the tables are asked (decisions 0010 and 0011).</summary>
public sealed class StaleEntryTests
{
    private const ulong Page = 0x40_0000;
    private const ulong UserPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    private static World Build(out Mmu<Unobserved> mmu, ulong flags = UserPage, bool nested = false)
    {
        var world = new World(nested);
        world.Map(Page, 0x8000, PageSize.Size4K, flags);
        mmu = world.Mmu(Machines.Skylake);
        return world;
    }

    private static bool Try(Mmu<Unobserved> mmu, AccessKind kind, AccessMode mode = AccessMode.User) =>
        mmu.TryTranslate(new LinearAddress(Page), kind, mode, out _);

    [Fact]
    [Rule("A06")]
    public void Write_ThroughACachedCleanEntry_SetsDirtyInMemoryFirst()
    {
        // A06, A08.
        using World world = Build(out Mmu<Unobserved> mmu);
        Assert.True(Try(mmu, AccessKind.Read));
        Assert.Equal(0ul, world.Read(world.Entry(Page, 1)) & PagingEntry.Dirty);

        Assert.True(Try(mmu, AccessKind.Write));

        Assert.NotEqual(0ul, world.Read(world.Entry(Page, 1)) & PagingEntry.Dirty);
        WalkStatistics walks = mmu.Statistics.Walks;
        Assert.Equal((1ul, 1ul, 0ul), (walks.Miss, walks.Dirty, walks.Rights));
        // The lookup was a hit; the walk was for the flag.
        Assert.Equal((2ul, 1ul, 1ul), (mmu.Statistics.L1Data.Lookups, mmu.Statistics.L1Data.Hits, mmu.Statistics.L1Data.Misses));
        Assert.True(Try(mmu, AccessKind.Write));
        Assert.Equal(2ul, mmu.Statistics.Walks.Count);
    }

    [Fact]
    [Rule("A06")]
    public void Write_ThroughACachedCleanEntry_ObeysTheTablesAsTheyAreNow()
    {
        using World world = Build(out Mmu<Unobserved> mmu);
        Assert.True(Try(mmu, AccessKind.Read));
        world.Change(world.Entry(Page, 1), PagingEntry.Writable, 0);

        Assert.False(Try(mmu, AccessKind.Write));

        Assert.Equal(PageFaultErrorCode.Present | PageFaultErrorCode.Write | PageFaultErrorCode.User, mmu.Fault.ErrorCode);
        Assert.Equal(0ul, world.Read(world.Entry(Page, 1)) & PagingEntry.Dirty);
    }

    [Fact]
    [Rule("A05")]
    public void Write_DirtyClearedInMemoryOnly_DoesNotSetItAgain()
    {
        // A05: the cached entry says that it is set.
        using World world = Build(out Mmu<Unobserved> mmu);
        Assert.True(Try(mmu, AccessKind.Write));
        world.Change(world.Entry(Page, 1), PagingEntry.Dirty | PagingEntry.Accessed, 0);

        Assert.True(Try(mmu, AccessKind.Write));

        Assert.Equal(0ul, world.Read(world.Entry(Page, 1)) & (PagingEntry.Dirty | PagingEntry.Accessed));
    }

    [Fact]
    [Rule("F08")]
    public void Write_RightsLoosenedInMemory_NeedsNoFault()
    {
        // F08 permits one spurious fault; this MMU asks the tables instead.
        using World world = Build(out Mmu<Unobserved> mmu, PagingEntry.Present | PagingEntry.User);
        Assert.True(Try(mmu, AccessKind.Read));
        world.Change(world.Entry(Page, 1), 0, PagingEntry.Writable);

        Assert.True(Try(mmu, AccessKind.Write));

        Assert.Equal(1ul, mmu.Statistics.Walks.Rights);
        Assert.Equal(0ul, mmu.Statistics.Walks.Faulted);
    }

    [Fact]
    [Rule("F08")]
    public void Write_RightsLoosenedInACachedPde_FaultsOnce()
    {
        // F08: the PDE cache still denies, and the fault drops it.
        using World world = Build(out Mmu<Unobserved> mmu);
        world.Change(world.Entry(Page, 2), PagingEntry.Writable, 0);
        Assert.True(Try(mmu, AccessKind.Read));
        world.Change(world.Entry(Page, 2), 0, PagingEntry.Writable);

        Assert.False(Try(mmu, AccessKind.Write));
        mmu.InvalidateAfterPageFault(new LinearAddress(Page));

        Assert.True(Try(mmu, AccessKind.Write));
    }

    [Fact]
    [Rule("T19")]
    public void Read_RightsTightenedInMemoryOnly_StillUsesTheCachedEntry()
    {
        // T19: until the invalidation the old entry may serve, and here it does.
        using World world = Build(out Mmu<Unobserved> mmu);
        Assert.True(Try(mmu, AccessKind.Read));
        world.Change(world.Entry(Page, 1), PagingEntry.Present, 0);
        Assert.True(Try(mmu, AccessKind.Read));

        mmu.InvalidatePage(new LinearAddress(Page));

        Assert.False(Try(mmu, AccessKind.Read));
        Assert.Equal(PageFaultErrorCode.User, mmu.Fault.ErrorCode);
    }

    [Fact]
    [Rule("T13")]
    public void Read_PresentSetInMemory_NeedsNoInvalidation()
    {
        // T13: an entry that is not present is never cached, nor what a faulting walk passed on the way.
        using World world = Build(out Mmu<Unobserved> mmu, 0);
        Assert.False(Try(mmu, AccessKind.Read));
        Assert.All(mmu.Statistics.Walks.StructureCaches, cache => Assert.Equal(0ul, cache.Hits));
        Assert.Equal(0ul, mmu.Statistics.L1Data.Fills);
        world.Change(world.Entry(Page, 1), 0, UserPage);

        WalkStatistics before = mmu.Statistics.Walks;
        Assert.True(Try(mmu, AccessKind.Read));

        Assert.Equal(4ul, mmu.Statistics.Walks.Since(before).References);
    }

    [Fact]
    [Rule("F06")]
    public void Walk_FaultsLowerDown_HasSetAccessedInTheEntriesAbove()
    {
        using World world = Build(out Mmu<Unobserved> mmu, 0);

        Assert.False(Try(mmu, AccessKind.Read));

        for (int level = 4; level > 1; level--)
            Assert.NotEqual(0ul, world.Read(world.Entry(Page, level)) & PagingEntry.Accessed);
        Assert.Equal(3ul, mmu.Statistics.Walks.FlagUpdates);
        Assert.Equal(4ul, mmu.Statistics.Walks.FaultedReferences);
        Assert.Equal(0ul, mmu.Statistics.Walks.References);
    }

    [Fact]
    [Rule("F06")]
    public void Walk_RightsDeny_SetsNeitherFlagInTheEntryThatMapsThePage()
    {
        // F06.
        using World world = Build(out Mmu<Unobserved> mmu, PagingEntry.Present | PagingEntry.User);

        Assert.False(Try(mmu, AccessKind.Write));

        Assert.Equal(0ul, world.Read(world.Entry(Page, 1)) & (PagingEntry.Accessed | PagingEntry.Dirty));
    }

    [Fact]
    [Rule("T20")]
    public void Modes_ControlBitsChanged_ActOnCachedRights()
    {
        // T20: WP, SMEP, SMAP and AC act at each access on what is cached; changing them invalidates nothing.
        using World world = Build(out Mmu<Unobserved> mmu, PagingEntry.Present | PagingEntry.User | PagingEntry.Dirty);
        Assert.True(Try(mmu, AccessKind.Read, AccessMode.Supervisor));
        Assert.True(Try(mmu, AccessKind.Fetch, AccessMode.Supervisor));
        Assert.False(Try(mmu, AccessKind.Write, AccessMode.Supervisor));

        mmu.SetContext(world.Context with { Cr0 = Cr0.ProtectionEnable | Cr0.Paging, Cr4 = world.Context.Cr4 | Cr4.Smep | Cr4.Smap });

        Assert.False(Try(mmu, AccessKind.Read, AccessMode.Supervisor));
        Assert.False(Try(mmu, AccessKind.Fetch, AccessMode.Supervisor));
        Assert.Equal(PageFaultErrorCode.Present | PageFaultErrorCode.InstructionFetch, mmu.Fault.ErrorCode);
        Assert.False(Try(mmu, AccessKind.Read, AccessMode.Implicit));
        Assert.True(Try(mmu, AccessKind.Read, AccessMode.SupervisorWithAc));
        Assert.True(Try(mmu, AccessKind.Write, AccessMode.SupervisorWithAc));
        Assert.False(Try(mmu, AccessKind.Write));
    }

    [Fact]
    [Rule("T12")]
    public void Write_SizeChangedUnderACachedEntry_LeavesTheNewEntryAlone()
    {
        // T12: the walk's entry replaces the one that did not suffice, at both levels.
        using var world = new World();
        const ulong Large = 0x1_0000_0000;
        world.Map(Large, 0x20_0000, PageSize.Size2M, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake with { StructureCaches = Machines.NoCaches });
        Assert.True(mmu.TryTranslate(new LinearAddress(Large), AccessKind.Read, AccessMode.User, out _));
        world.Memory.Write(world.Entry(Large, 2), world.NewGuestTable() | UserPage);
        world.Map(Large, 0x9000, PageSize.Size4K, UserPage);

        Assert.True(mmu.TryTranslate(new LinearAddress(Large), AccessKind.Write, AccessMode.User, out Translation translation));

        Assert.Equal((0x9000ul, PageSize.Size4K), (translation.Address.Value, translation.EntryPageSize));
        MmuStatistics statistics = mmu.Statistics;
        Assert.Equal(1ul, statistics.L1Data[PageSize.Size2M].Invalidations);
        Assert.Equal(1ul, statistics.L2[PageSize.Size2M].Invalidations);
        StatisticsRules.Hold(statistics);
    }

    [Fact]
    [Rule("E06")]
    public void Write_GuestTablePageReadOnlyInEpt_FaultsOnlyWhereAFlagMustBeSet()
    {
        // E06: with EPT's flags off, a read-only table page works while accessed and dirty are set already.
        using World world = Build(out Mmu<Unobserved> mmu, UserPage | PagingEntry.Accessed, nested: true);
        ulong table = world.Read(world.Entry(Page, 2)) & PagingEntry.AddressMask;
        world.Change(world.EptEntryAt(table, 1), EptEntry.Write, 0);
        Assert.True(Try(mmu, AccessKind.Read));

        Assert.False(Try(mmu, AccessKind.Write));

        Assert.Equal(TranslationFailure.EptViolation, mmu.Fault.Failure);
        Assert.Equal(table + ((Page >> 9) & 0xFF8), mmu.Fault.GuestPhysical.Value);
        Assert.Equal(
            EptViolationQualification.Read | EptViolationQualification.Write | EptViolationQualification.LinearAddressValid
            | EptViolationQualification.GuestPhysicalReadable | EptViolationQualification.GuestPhysicalExecutable,
            mmu.Fault.Qualification);
        // Loosened, it works without invalidation (E26), although the PDE cache remembers a read-only table.
        world.Change(world.EptEntryAt(table, 1), 0, EptEntry.Write);
        Assert.True(Try(mmu, AccessKind.Write));
        Assert.NotEqual(0ul, world.Read(world.Entry(Page, 1)) & PagingEntry.Dirty);
    }

    [Fact]
    public void Write_GuestTableMovedByTheHost_SetsTheFlagWhereTheTableIsNow()
    {
        // The PDE cache knows the table's old place as read-only. Asked again, EPT gives another place: the walk starts over.
        using World world = Build(out Mmu<Unobserved> mmu, UserPage | PagingEntry.Accessed, nested: true);
        HostPhysicalAddress old = world.Entry(Page, 1);
        ulong table = world.Read(world.Entry(Page, 2)) & PagingEntry.AddressMask;
        world.Change(world.EptEntryAt(table, 1), EptEntry.Write, 0);
        Assert.True(Try(mmu, AccessKind.Read));
        ulong place = 0x900_0000;
        world.Memory.Write(new HostPhysicalAddress(place | (old.Value & 0xFFF)), 0x9000 | UserPage | PagingEntry.Accessed);
        world.MapEpt(table, place, PageSize.Size4K, EptEntry.Rights);

        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Write, AccessMode.User, out Translation translation));

        Assert.Equal(world.Host(0x9000), translation.Address.Value);
        Assert.NotEqual(0ul, world.Memory.Read<ulong>(new HostPhysicalAddress(place | (old.Value & 0xFFF))) & PagingEntry.Dirty);
        Assert.Equal(0ul, world.Read(old) & PagingEntry.Dirty);
    }

    [Fact]
    [Rule("E09")]
    public void Write_EptFlagsOn_NeedsBothDirtyFlags()
    {
        using World world = Build(out Mmu<Unobserved> mmu, UserPage | PagingEntry.Dirty, nested: true);
        mmu.SetContext(world.Context with { Eptp = world.Context.Eptp | EptPointer.AccessedAndDirty });
        Assert.True(Try(mmu, AccessKind.Read));
        Assert.Equal(EptEntry.Accessed, world.Read(world.EptEntryAt(0x8000, 1)) & (EptEntry.Accessed | EptEntry.Dirty));

        Assert.True(Try(mmu, AccessKind.Write));

        Assert.Equal(1ul, mmu.Statistics.Walks.Dirty);
        Assert.Equal(EptEntry.Accessed | EptEntry.Dirty, world.Read(world.EptEntryAt(0x8000, 1)) & (EptEntry.Accessed | EptEntry.Dirty));
        // A guest table was accessed by a write: E06.
        ulong table = world.Read(world.Entry(Page, 2)) & PagingEntry.AddressMask;
        Assert.NotEqual(0ul, world.Read(world.EptEntryAt(table, 1)) & EptEntry.Dirty);
    }
}
