using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>What TLBs keep until they are told, and what each operation removes. SDM 3, "Operations that Invalidate TLBs and Paging-Structure Caches".</summary>
public sealed class TlbInvalidationTests
{
    private const ulong Linear = 0x7000_1234_5000;
    private const ulong Neighbour = 0x7000_1234_6000;
    private const ulong Old = 0x5_0000;
    private const ulong New = 0x6_0000;

    public static TheoryData<string> Machines => PagedMachine.Machines;

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T16")]
    [Rule("T19")]
    public void Access_ChangedPteWithoutInvlpg_UsesTheStaleTranslation(string name)
    {
        using var machine = Filled(name);

        machine.Map(Linear, New);
        Assert.Equal(Old, machine.Access(Linear));
        machine.Tables.Write(new(Linear), 1, 0);

        Assert.Equal(Old, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T06")]
    public void InvalidatePage_ChangedPte_ShowsTheNewTranslation(string name)
    {
        using var machine = Filled(name);

        machine.Map(Linear, New);
        machine.Mmu.InvalidatePage(new(Linear + 0xABC));

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void InvalidatePage_AnotherPage_KeepsTheTranslation(string name)
    {
        using var machine = Filled(name);

        machine.Map(Linear, New);
        machine.Mmu.InvalidatePage(new(Neighbour));

        Assert.Equal(Old, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void InvalidatePage_InstructionSide_ShowsTheNewTranslation(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Old);
        Assert.Equal(Old, machine.Access(Linear, AccessKind.Fetch));

        machine.Map(Linear, New);
        Assert.Equal(Old, machine.Access(Linear, AccessKind.Fetch));
        ulong changes = machine.Mmu.InstructionSideChanges;
        machine.Mmu.InvalidatePage(new(Linear));

        Assert.True(machine.Mmu.InstructionSideChanges > changes);
        Assert.Equal(New, machine.Access(Linear, AccessKind.Fetch));
    }

    [Theory]
    [InlineData("ideal", PageSize.Size2M)]
    [InlineData("ideal", PageSize.Size1G)]
    [InlineData("two-level", PageSize.Size2M)]
    [InlineData("two-level", PageSize.Size1G)]
    [InlineData("only-4k", PageSize.Size2M)]
    [InlineData("only-4k", PageSize.Size1G)]
    [Rule("T11")]
    public void InvalidatePage_AnyAddressInsideLargePage_RemovesAllOfIt(string name, PageSize size)
    {
        const ulong Base = 0x6F80_0000_0000;
        using var machine = PagedMachine.Named(name);
        machine.Map(Base, 0, size);
        ulong[] offsets = [0, 0x1000, 0x5_4321, size.Bytes() / 2, size.Bytes() - 1];
        foreach (ulong offset in offsets)
            Assert.Equal(offset, machine.Access(Base + offset));

        machine.Map(Base, size.Bytes(), size);
        foreach (ulong offset in offsets)
            Assert.Equal(offset, machine.Access(Base + offset));
        machine.Mmu.InvalidatePage(new(Base + (size.Bytes() / 4) + 0x777));

        foreach (ulong offset in offsets)
            Assert.Equal(size.Bytes() + offset, machine.Access(Base + offset));
    }

    [Fact]
    public void InvalidatePage_FragmentFilledAmongDeadOnes_IsRemovedLikeAnyOther()
    {
        // Four ways: fragments that an InvalidateAll left dead are overwritten by a live fragment and by a page that is none.
        const ulong Base = 0x6F80_0000_0000;
        using var machine = new PagedMachine(TestMmuConfigurations.Uncached() with
        {
            L1Data = TestMmuConfigurations.Level(TestMmuConfigurations.Array("l1d", 1, 4, IndexHash.Linear, Replacement.Fifo, "4k")),
        });
        machine.Map(Linear, Old);
        machine.Map(Base, 0, PageSize.Size2M);
        for (ulong page = 0; page < 4; page++)
            Assert.Equal(page << 12, machine.Access(Base + (page << 12)));
        machine.Mmu.InvalidateAll();
        Assert.Equal(0x1000UL, machine.Access(Base + 0x1000));
        Assert.Equal(Old, machine.Access(Linear));

        machine.Map(Base, 0x20_0000, PageSize.Size2M);
        machine.Mmu.InvalidatePage(new(Base + 0x3000));

        Assert.Equal(0x20_1000UL, machine.Access(Base + 0x1000));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T06")]
    public void InvalidatePage_NonCanonicalAddress_IsNoOperation(string name)
    {
        using var machine = Filled(name);

        machine.Map(Linear, New);
        machine.Mmu.InvalidatePage(new(Linear | 0x0100_0000_0000_0000));

        Assert.Equal(Old, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T08")]
    public void SetContext_NewRootWithoutInvalidation_KeepsTheTranslationOfThePcid(string name)
    {
        using var machine = Filled(name);
        PageTableBuilder others = machine.NewTables();
        others.Map(new(Linear), new(New), PageSize.Size4K, PagedMachine.Page);

        machine.Use(others, pcid: 0);
        Assert.Equal(Old, machine.Access(Linear));
        machine.Mmu.InvalidatePcid(0);

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T13")]
    public void Access_NotPresentMadePresent_NeedsNoInvalidation(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Neighbour, Old);
        Assert.Null(machine.Access(Linear));
        Assert.Equal(Old, machine.Access(Neighbour));
        Assert.Null(machine.Access(Linear));

        machine.Map(Linear, New);

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("F07")]
    [Rule("F08")]
    public void InvalidateAfterPageFault_LoosenedRights_ShowTheNewRights(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Old, flags: PagedMachine.Page & ~PagingEntry.Writable);
        Assert.Equal(Old, machine.Access(Linear));
        Assert.Null(machine.Access(Linear, AccessKind.Write));

        // One spurious fault is allowed, a second one after its delivery is not.
        machine.Map(Linear, Old);
        if (machine.Access(Linear, AccessKind.Write) is null)
            machine.Mmu.InvalidateAfterPageFault(new(Linear));

        Assert.Equal(Old, machine.Access(Linear, AccessKind.Write));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("F07")]
    public void InvalidateAfterPageFault_ChangedPte_DropsTheTranslationOfThatPageOnly(string name)
    {
        using var machine = Filled(name);
        machine.Map(Neighbour, Old + 0x1000);
        Assert.Equal(Old + 0x1000, machine.Access(Neighbour));

        machine.Map(Linear, New);
        machine.Map(Neighbour, New + 0x1000);
        machine.Mmu.InvalidateAfterPageFault(new(Linear));

        Assert.Equal(New, machine.Access(Linear));
        Assert.Equal(Old + 0x1000, machine.Access(Neighbour));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void InvalidateAll_EverythingChanged_ShowsTheNewTranslations(string name)
    {
        using var machine = Filled(name);
        machine.Map(Neighbour, Old, flags: PagedMachine.Page | PagingEntry.Global);
        Assert.Equal(Old, machine.Access(Neighbour));

        machine.Map(Linear, New);
        machine.Map(Neighbour, New);
        machine.Mmu.InvalidateAll();

        Assert.Equal(New, machine.Access(Linear));
        Assert.Equal(New, machine.Access(Neighbour));
    }

    private static PagedMachine Filled(string name)
    {
        PagedMachine machine = PagedMachine.Named(name);
        machine.Map(Linear, Old);
        Assert.Equal(Old, machine.Access(Linear));
        return machine;
    }
}
