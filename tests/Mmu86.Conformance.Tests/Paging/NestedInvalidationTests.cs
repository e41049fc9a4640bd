using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Combined and guest-physical mappings. SDM 3, "Caching Translation Information" of VMX (E11 to E15, E26).</summary>
public sealed class NestedInvalidationTests
{
    private const ulong Linear = 0x7000_1234_5000;
    private const ulong Guest = 0x5_0000;
    private const ulong OtherGuest = 0x6_0000;
    private const ulong New = 0xA0_0000;

    public static TheoryData<string> Machines => PagedMachine.Machines;

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E26")]
    public void Access_ChangedEptWithoutInvept_UsesTheStaleTranslation(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);

        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);
        Assert.Equal(Guest, machine.Access(Linear));
        machine.Mmu.InvalidateEptContext(ept.Eptp);

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E15")]
    [Rule("E26")]
    public void InvalidateEptAll_ChangedEpt_ShowsTheNewTranslation(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);

        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);
        machine.Mmu.InvalidateEptAll();

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E11")]
    [Rule("E15")]
    public void InvalidateEptContext_AnotherRoot_KeepsTheTranslation(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);
        EptBuilder other = machine.NewEpt();

        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);
        machine.Mmu.InvalidateEptContext(other.Eptp);

        Assert.Equal(Guest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E01")]
    public void InvalidateEptContext_LowBitsOfThePointer_AreNoPartOfTheTag(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);

        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);
        machine.Mmu.InvalidateEptContext(ept.EptpWithAccessedAndDirty);

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E15")]
    public void InvalidatePage_InAGuest_KeepsGuestPhysicalMappings(string name)
    {
        // INVLPG drops the combined mapping; the nested TLB knows the guest frame still and is never asked to forget it.
        using var machine = Filled(name, out EptBuilder ept);

        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);
        machine.Mmu.InvalidatePage(new(Linear));

        Assert.Equal(Guest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E15")]
    public void InvalidatePage_InAGuest_ShowsTheNewGuestTranslation(string name)
    {
        using var machine = Filled(name, out _);

        machine.Map(Linear, OtherGuest);
        Assert.Equal(Guest, machine.Access(Linear));
        machine.Mmu.InvalidatePage(new(Linear));

        Assert.Equal(OtherGuest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E14")]
    public void InvalidateVpid_ChangedGuestTables_ShowsTheNewGuestTranslation(string name)
    {
        using var machine = Filled(name, out _);

        machine.Map(Linear, OtherGuest);
        machine.Mmu.InvalidateVpid(2);
        Assert.Equal(Guest, machine.Access(Linear));
        machine.Mmu.InvalidateVpid(1);

        Assert.Equal(OtherGuest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E11")]
    public void Access_AnotherVpid_HasTranslationsOfItsOwn(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);
        PageTableBuilder others = machine.NewTables();
        others.Map(new(Linear), new(OtherGuest), PageSize.Size4K, PagedMachine.Page);

        machine.Use(others, pcid: 0, ept.Eptp, vpid: 2);
        Assert.Equal(OtherGuest, machine.Access(Linear));
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);
        machine.Map(Linear, OtherGuest);

        Assert.Equal(Guest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E15")]
    public void InvalidateAll_InAGuest_KeepsOtherVpids(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);

        machine.Map(Linear, OtherGuest);
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 2);
        machine.Mmu.InvalidateAll();
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);

        Assert.Equal(Guest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E11")]
    public void Access_AnotherEptRoot_HasTranslationsOfItsOwn(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);
        EptBuilder other = machine.NewEpt();
        MapAll(machine, other);
        other.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);

        machine.Use(machine.Tables, pcid: 0, other.Eptp, vpid: 1);
        Assert.Equal(New, machine.Access(Linear));
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);

        Assert.Equal(Guest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E11")]
    public void Access_EptOffAndOn_LinearAndCombinedMappingsAreApart(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);
        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);
        machine.Mmu.InvalidateEptAll();
        Assert.Equal(New, machine.Access(Linear));

        machine.Use(machine.Tables, pcid: 0);
        Assert.Equal(Guest, machine.Access(Linear));
        machine.Mmu.InvalidateEptAll();
        machine.Map(Linear, OtherGuest);

        // INVEPT does not concern linear mappings.
        Assert.Equal(Guest, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E26")]
    public void Access_EptEntryMadePresent_NeedsNoInvept(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);
        ept.Write(new(Guest), 1, 0);
        machine.Mmu.InvalidateEptAll();
        Assert.Null(machine.Access(Linear));
        Assert.Equal(TranslationFailure.EptViolation, machine.Mmu.Fault.Failure);

        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void InvalidateEptContext_ChangedEptOfAGuestTable_ReachesTheStructureCaches(string name)
    {
        using var machine = Filled(name, out EptBuilder ept);
        ulong neighbour = Linear + 0x1000;
        machine.Map(neighbour, Guest);

        // The page table of both pages is now another host frame, in which the neighbour is mapped elsewhere.
        GuestPhysicalAddress table = machine.Tables.Table(new(Linear), 1);
        HostFrameNumber copy = machine.NewFrame();
        machine.Memory.Write(new HostPhysicalAddress(copy.Address.Value + (((neighbour >> 12) & 0x1FF) * 8)), OtherGuest | PagedMachine.Page);
        ept.Map(table, copy.Address, PageSize.Size4K, PagedMachine.EptPage);
        Assert.Equal(Guest, machine.Access(neighbour));
        machine.Mmu.InvalidateEptContext(ept.Eptp);

        Assert.Equal(OtherGuest, machine.Access(neighbour));
    }

    [Fact]
    public void InvalidateEptContext_RootInTheFirstFrameOfTheHost_IsARootLikeAnyOther()
    {
        using PagedMachine machine = PagedMachine.Named("ideal");
        machine.Map(Linear, Guest);
        var ept = new EptBuilder(machine.Memory, new FrameAllocator(new HostFrameNumber(0), 32));
        MapAll(machine, ept);
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);
        Assert.Equal(Guest, machine.Access(Linear));

        ept.Map(new(Guest), new(New), PageSize.Size4K, PagedMachine.EptPage);
        machine.Mmu.InvalidateEptContext(ept.Eptp);
        Assert.Equal(New, machine.Access(Linear));
        ept.Map(new(Guest), new(Guest), PageSize.Size4K, PagedMachine.EptPage);
        machine.Mmu.InvalidateEptAll();

        Assert.Equal(Guest, machine.Access(Linear));
    }

    [Theory]
    [InlineData("ideal")]
    [InlineData("only-4k")]
    public void InvalidateEptContext_LargeEptPage_RemovesEveryPieceOfIt(string name)
    {
        using var machine = PagedMachine.Named(name);
        EptBuilder ept = machine.NewEpt();
        MapAll(machine, ept);
        const ulong LargeGuest = 0x4000_0000;
        ept.Map(new(LargeGuest), new(0x20_0000), PageSize.Size2M, PagedMachine.EptPage);
        for (ulong page = 0; page < 8; page++)
            machine.Map(Linear + (page << 12), LargeGuest + (page << 12));
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);
        for (ulong page = 0; page < 8; page++)
            Assert.Equal(0x20_0000 + (page << 12), machine.Access(Linear + (page << 12)));

        ept.Map(new(LargeGuest), new(0x40_0000), PageSize.Size2M, PagedMachine.EptPage);
        machine.Mmu.InvalidateEptContext(ept.Eptp);

        for (ulong page = 0; page < 8; page++)
            Assert.Equal(0x40_0000 + (page << 12), machine.Access(Linear + (page << 12)));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void InvalidatePage_GuestLargePageAboveSmallEptPages_RemovesEveryPieceOfIt(string name)
    {
        using var machine = PagedMachine.Named(name);
        EptBuilder ept = machine.NewEpt();
        MapAll(machine, ept);
        ulong page = Linear & ~PageSize.Size2M.OffsetMask();
        machine.Map(page, 0x40_0000, PageSize.Size2M);
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);
        ulong[] offsets = [0, 0x1000, 0x7_7000, 0x1F_F000];
        foreach (ulong offset in offsets)
            Assert.Equal(0x40_0000 + offset, machine.Access(page + offset));

        machine.Map(page, 0x60_0000, PageSize.Size2M);
        machine.Mmu.InvalidatePage(new(page + 0x3000));

        foreach (ulong offset in offsets)
            Assert.Equal(0x60_0000 + offset, machine.Access(page + offset));
    }

    private static PagedMachine Filled(string name, out EptBuilder ept)
    {
        PagedMachine machine = PagedMachine.Named(name);
        machine.Map(Linear, Guest);
        ept = machine.NewEpt();
        MapAll(machine, ept);
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);
        Assert.Equal(Guest, machine.Access(Linear));
        return machine;
    }

    // Guest-physical is host-physical for all of RAM, by 4-KByte pages.
    private static void MapAll(PagedMachine machine, EptBuilder ept) =>
        ept.MapRange(new(0), new(0), (int)(machine.Memory.SizeInBytes >> 12), PageSize.Size4K);
}
