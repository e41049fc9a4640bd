using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Paging-structure caches: an entry changed in memory still leads to the old table. SDM 3, "Paging-Structure Caches" (T03, T04, T22).</summary>
public sealed class StructureCacheTests
{
    private const ulong Linear = 0x1234_5678_9000;
    private const ulong Old = 0x5_0000;
    private const ulong New = 0x6_0000;

    /// <summary>The level of the changed entry, and a page that shares it but not the entry below.</summary>
    public static TheoryData<int, ulong> Levels => new()
    {
        { 2, Linear ^ 0x1000 },
        { 3, Linear ^ (1UL << 21) },
        { 4, Linear ^ (1UL << 30) },
    };

    [Theory]
    [MemberData(nameof(Levels))]
    [Rule("T03")]
    [Rule("T04")]
    public void Access_ChangedPointerWithoutInvalidation_UsesTheOldTable(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        Assert.Equal(Old + 0x1000, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    [Rule("T06")]
    [Rule("T22")]
    public void InvalidatePage_OfAnyAddress_DropsEveryStructureCacheEntryOfThePcid(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        machine.Mmu.InvalidatePage(new(0xFFFF_FFFF_8000_0000));

        Assert.Equal(New, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void InvalidatePageOfPcid_OfTheAddress_DropsTheStructureCacheEntriesThatServeIt(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        machine.Mmu.InvalidatePage(new(sibling), pcid: 0);

        Assert.Equal(New, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    [Rule("T08")]
    public void InvalidatePcid_DropsTheStructureCaches(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        machine.Mmu.InvalidatePcid(0);

        Assert.Equal(New, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void InvalidateAllNonGlobal_DropsTheStructureCaches(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        machine.Mmu.InvalidateAllNonGlobal();

        Assert.Equal(New, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void InvalidateAll_DropsTheStructureCaches(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        machine.Mmu.InvalidateAll();

        Assert.Equal(New, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    [Rule("F07")]
    public void InvalidateAfterPageFault_OfTheAddress_DropsTheStructureCacheEntriesThatServeIt(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        machine.Mmu.InvalidateAfterPageFault(new(sibling));

        Assert.Equal(New, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    [Rule("F07")]
    public void InvalidateAfterPageFault_OfAnAddressElsewhere_KeepsTheStructureCacheEntries(int level, ulong sibling)
    {
        using var machine = WithTwoTables(level, sibling);

        machine.Mmu.InvalidateAfterPageFault(new(0xFFFF_FFFF_8000_0000));

        Assert.Equal(Old + 0x1000, machine.Access(sibling));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    [Rule("T03")]
    public void Access_TightenedTableEntryWithoutInvalidation_KeepsTheRightsThatWereCached(int level, ulong sibling)
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Ideal());
        machine.Map(Linear, Old);
        machine.Map(sibling, Old + 0x1000);
        Assert.Equal(Old, machine.Access(Linear));

        machine.Tables.Change(new(Linear), level, 0, PagingEntry.Writable);
        Assert.Equal(Old + 0x1000, machine.Access(sibling, AccessKind.Write));
        machine.Mmu.InvalidatePage(new(sibling));

        Assert.Null(machine.Access(sibling, AccessKind.Write));
    }

    [Fact]
    [Rule("T01")]
    [Rule("T04")]
    public void Access_WalkThatFaulted_LeavesNothingInTheStructureCaches()
    {
        // T04 allows an entry though nothing below it is mapped. The model fills these caches when a walk has ended well.
        using var machine = new PagedMachine(TestMmuConfigurations.Ideal());
        machine.Tables.Reach(new(Linear), 1);
        Assert.Null(machine.Access(Linear));

        machine.Map(Linear, New);
        machine.Tables.Write(new(Linear), 2, 0);

        Assert.Null(machine.Access(Linear));
    }

    [Fact]
    public void Access_NoStructureCaches_SeesTheNewTableAtOnce()
    {
        var configuration = TestMmuConfigurations.Ideal() with { StructureCaches = TestMmuConfigurations.Uncached().StructureCaches };
        using var machine = WithTwoTables(2, Linear ^ 0x1000, configuration);

        Assert.Equal(New, machine.Access(Linear ^ 0x1000));
    }

    [Fact]
    [Rule("T01")]
    public void Access_LargePage_LeavesNoStructureCacheEntryForItself()
    {
        // A 2-MByte page becomes a table: after the page's own invalidation nothing may answer for the table but the table.
        using var machine = new PagedMachine(TestMmuConfigurations.Ideal());
        ulong page = Linear & ~PageSize.Size2M.OffsetMask();
        machine.Map(page, 0x20_0000, PageSize.Size2M);
        Assert.Equal(0x20_0000UL, machine.Access(page));

        machine.Tables.Write(new(page), 2, 0);
        machine.Tables.Reach(new(page), 1);
        machine.Tables.Write(new(page), 2, machine.Tables.Table(new(page), 1).Value | PagedMachine.Page & ~PagingEntry.Dirty);
        machine.Map(page, New);
        machine.Mmu.InvalidatePage(new(page + 0x12_3456));

        Assert.Equal(New, machine.Access(page));
        Assert.Null(machine.Access(page + 0x1000));
    }

    private static PagedMachine WithTwoTables(int level, ulong sibling) => WithTwoTables(level, sibling, TestMmuConfigurations.Ideal());

    // The walk of Linear has filled the caches; then the entry of a level was pointed to a copy of its table in which the sibling differs.
    private static PagedMachine WithTwoTables(int level, ulong sibling, MmuConfiguration configuration)
    {
        var machine = new PagedMachine(configuration);
        machine.Map(Linear, Old);
        machine.Map(sibling, Old + 0x1000);
        Assert.Equal(Old, machine.Access(Linear));

        PageTableBuilder others = machine.NewTables();
        others.Map(new(sibling), new(New), PageSize.Size4K, PagedMachine.Page);
        machine.Tables.Write(new(Linear), level, others.Read(new(sibling), level) | PagingEntry.Accessed);
        return machine;
    }
}
