using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>When slots of the filter appear and when they must be gone: cases too rare for the random streams.</summary>
public sealed unsafe class FilterSlotTests
{
    private const ulong Page = 0x40_0000;
    private const ulong UserPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    [Fact]
    public void Write_DirtyClearAndFrameChanged_KillsSlotsOfOtherBanks()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        Assert.True(Translate(mmu, Page, AccessKind.Read, AccessMode.Supervisor));
        Assert.True(HasSlot(mmu, Page, AccessKind.Read, AccessMode.Supervisor));
        world.Map(Page, 0x9000, PageSize.Size4K, UserPage);

        Assert.True(Translate(mmu, Page, AccessKind.Write, AccessMode.User));

        Assert.False(HasSlot(mmu, Page, AccessKind.Read, AccessMode.Supervisor));
        Assert.True(HasSlot(mmu, Page, AccessKind.Read, AccessMode.User));
        Assert.True(HasSlot(mmu, Page, AccessKind.Write, AccessMode.User));
    }

    [Fact]
    public void Write_PageGrewBelowALargerEntry_KillsSlotsOfTheLargerEntry()
    {
        // A 4 KiB entry with D=0 lies under a 1 GiB entry; the page becomes 2 MiB, all without invalidation. The 2 MiB entry is
        // probed before the 1 GiB entry, so what that one gave the filter no longer holds.
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Uncounted> mmu = world.Mmu(Machines.Skylake with { StructureCaches = Machines.NoCaches }, default(Uncounted));
        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Read, AccessMode.User, out _));
        HostPhysicalAddress pdpte = world.Entry(Page, 3);
        ulong pointsToTable = world.Read(pdpte);
        world.Memory.Write(pdpte, UserPage | PagingEntry.PageSizeBit);
        const ulong Other = Page + 0x5000;
        Assert.True(mmu.TryTranslate(new LinearAddress(Other), AccessKind.Read, AccessMode.User, out Translation old));
        Assert.Equal(PageSize.Size1G, old.EntryPageSize);
        Assert.True(HasSlot(mmu.Filter, Other, AccessKind.Read, AccessMode.User));
        world.Memory.Write(pdpte, pointsToTable);
        world.Memory.Write(world.Entry(Page, 2), 0x60_0000 | UserPage | PagingEntry.PageSizeBit);

        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Write, AccessMode.User, out Translation grown));

        Assert.Equal(PageSize.Size2M, grown.EntryPageSize);
        Assert.False(HasSlot(mmu.Filter, Other, AccessKind.Read, AccessMode.User));
        Assert.True(mmu.TryTranslate(new LinearAddress(Other), AccessKind.Read, AccessMode.User, out Translation now));
        Assert.Equal(new HostPhysicalAddress(0x60_5000), now.Address);
    }

    [Fact]
    public void OfferFetch_PageNoLongerTheMostRecentOfItsSet_IsIgnored()
    {
        using var world = new World();
        const ulong SameSet = Page + (16 << 12);
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        world.Map(SameSet, 0x9000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        Assert.True(Translate(mmu, Page, AccessKind.Fetch, AccessMode.User));
        Assert.True(Translate(mmu, SameSet, AccessKind.Fetch, AccessMode.User));

        mmu.EnterCodePage(new LinearAddress(Page), 2);
        mmu.OfferFetch(new LinearAddress(Page), AccessMode.User, 42);
        mmu.EnterCodePage(new LinearAddress(SameSet), 2);
        mmu.OfferFetch(new LinearAddress(SameSet), AccessMode.User, 43);

        Assert.False(HasSlot(mmu, Page, AccessKind.Fetch, AccessMode.User));
        Assert.True(HasSlot(mmu, SameSet, AccessKind.Fetch, AccessMode.User));
    }

    [Fact]
    public void OfferFetch_ModeThatMayNotFetch_IsIgnored()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, PagingEntry.Present);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        Assert.True(Translate(mmu, Page, AccessKind.Fetch, AccessMode.Supervisor));

        mmu.EnterCodePage(new LinearAddress(Page), 2);
        mmu.OfferFetch(new LinearAddress(Page), AccessMode.User, 42);

        Assert.False(HasSlot(mmu, Page, AccessKind.Fetch, AccessMode.User));
    }

    [Theory]
    [InlineData(AccessMode.User)]
    [InlineData(AccessMode.Supervisor)]
    [InlineData(AccessMode.SupervisorWithAc)]
    public void RevokeWrites_AnyBank_KillsTheWriteSlotAndKeepsTheReadSlot(AccessMode bank)
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        Assert.True(Translate(mmu, Page, AccessKind.Write, bank));
        Assert.True(HasSlot(mmu, Page, AccessKind.Write, bank));

        mmu.RevokeWrites(new HostFrameNumber(8));

        Assert.False(HasSlot(mmu, Page, AccessKind.Write, bank));
        Assert.True(HasSlot(mmu, Page, AccessKind.Read, bank));
    }

    [Fact]
    public void Write_FrameWithCode_GetsNoWriteSlot()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        world.Memory.AddCodeLines(new HostFrameNumber(8), 1);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);

        Assert.True(Translate(mmu, Page, AccessKind.Write, AccessMode.User));

        Assert.False(HasSlot(mmu, Page, AccessKind.Write, AccessMode.User));
        Assert.True(HasSlot(mmu, Page, AccessKind.Read, AccessMode.User));
    }

    [Fact]
    public void Translate_FrameOutsideRam_GetsNoSlot()
    {
        using var world = new World();
        world.Map(Page, 0xFEE0_0000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);

        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Write, AccessMode.User, out Translation translation));

        Assert.False(translation.IsRam);
        Assert.False(HasSlot(mmu, Page, AccessKind.Read, AccessMode.User));
    }

    [Fact]
    public void Translate_ImplicitAccess_GetsNoSlot()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);

        Assert.True(Translate(mmu, Page, AccessKind.Read, AccessMode.Implicit));

        for (AccessMode bank = AccessMode.User; bank <= AccessMode.SupervisorWithAc; bank++)
            Assert.False(HasSlot(mmu, Page, AccessKind.Read, bank));
    }

    [Fact]
    public void SetContext_SlotsInEveryTable_AreGone()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        world.Map(0x80_1000, 0xA000, PageSize.Size4K, PagingEntry.Present);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        for (AccessMode bank = AccessMode.User; bank <= AccessMode.SupervisorWithAc; bank++)
            Assert.True(Translate(mmu, Page, AccessKind.Write, bank));
        Assert.True(Translate(mmu, Page, AccessKind.Fetch, AccessMode.User));
        mmu.EnterCodePage(new LinearAddress(Page), 2);
        mmu.OfferFetch(new LinearAddress(Page), AccessMode.User, 1);
        Assert.True(Translate(mmu, 0x80_1000, AccessKind.Fetch, AccessMode.Supervisor));
        mmu.EnterCodePage(new LinearAddress(0x80_1000), 2);
        mmu.OfferFetch(new LinearAddress(0x80_1000), AccessMode.Supervisor, 2);
        Assert.Equal(8, CountSlots(mmu.Filter));

        mmu.SetContext(mmu.Context);

        Assert.Equal(0, CountSlots(mmu.Filter));
    }

    [Fact]
    public void Observed_AnyAccess_LeavesTheFilterEmpty()
    {
        using var world = new World();
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Observed> mmu = world.Mmu(Machines.Skylake, new Observed(new Deaf()));

        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Write, AccessMode.User, out _));

        Assert.Equal(0, CountSlots(mmu.Filter));
        Assert.False(mmu.FetchesAreSilent);
    }

    private static bool Translate(Mmu<Unobserved> mmu, ulong linear, AccessKind kind, AccessMode mode) =>
        mmu.TryTranslate(new LinearAddress(linear), kind, mode, out _);

    private static bool HasSlot(Mmu<Unobserved> mmu, ulong page, AccessKind kind, AccessMode mode) => HasSlot(mmu.Filter, page, kind, mode);

    private static bool HasSlot(TranslationFilter filter, ulong page, AccessKind kind, AccessMode mode)
    {
        int index = (int)(page >> 12) & (filter.Slots - 1);
        FilterSlot* table = kind switch
        {
            AccessKind.Fetch => filter.FetchTable(mode),
            AccessKind.Read => filter.DataTable(mode),
            _ => filter.DataTable(mode) + filter.Slots,
        };
        return table[index].Tag == FilterSlot.TagOf(page);
    }

    private static int CountSlots(TranslationFilter filter)
    {
        FilterSlot* slots = filter.DataTable(AccessMode.User);
        int count = 0;
        for (int i = 0; i < filter.Slots * 8; i++)
            count += slots[i].Tag == TranslationFilter.Empty ? 0 : 1;
        return count;
    }

    private sealed class Deaf : ITranslationObserver
    {
        public void Translated(WalkTrace trace)
        {
        }
    }
}
