using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Hypervisor-managed tables, paging writes and guest-paging verification, by single cases that the sampled matrix does not tell apart.</summary>
public sealed class HypervisorManagedTests
{
    private const ulong Upper = 0xFFFF_8000_4020_1000;
    private const ulong Lower = 0x0000_0000_4020_1000;
    private const ulong Managed = 0x40_1000;
    private const ulong Ordinary = 0x60_1000;

    // Prefix size 1: addresses with bit 63 set.
    [Theory]
    [InlineData(Lower, 0, Managed)]
    [InlineData(Upper, 0, Managed)]
    [InlineData(Lower, 1, Ordinary)]
    [InlineData(Upper, 1, Managed)]
    [Rule("E22")]
    public void Access_ByPrefixSize_UsesTheTablesOfHlatpOrOfCr3(ulong linear, byte prefix, ulong expected)
    {
        using PagedMachine machine = Make(out PageTableBuilder managed, out EptBuilder ept);
        Map(machine, managed, linear, PageSize.Size4K);
        Use(machine, managed, ept, prefix);

        Assert.Equal(expected, machine.Access(linear));
    }

    [Theory]
    [InlineData(4, PageSize.Size1G)]
    [InlineData(3, PageSize.Size1G)]
    [InlineData(2, PageSize.Size2M)]
    [InlineData(1, PageSize.Size4K)]
    [Rule("E22")]
    public void Access_RestartedAtALevel_IsNoLargerThanWhatThatEntryControls(int level, PageSize expected)
    {
        using PagedMachine machine = Make(out PageTableBuilder managed, out EptBuilder ept);
        ept.Map(new(0), new(0), PageSize.Size1G, PagedMachine.EptPage);
        managed.Map(new(Upper), new(Managed), PageSize.Size4K, PagedMachine.Page);
        managed.Change(new(Upper), level, set: PagingEntry.Restart, clear: PagingEntry.Accessed);
        machine.Tables.Map(new(Upper), new(0), PageSize.Size1G, PagedMachine.Page);
        Use(machine, managed, ept, prefix: 0);

        Assert.True(machine.Mmu.TryTranslate(new(Upper), AccessKind.Read, AccessMode.Supervisor, out Translation translation));

        Assert.Equal((Upper & 0x3FFF_FFFF, expected), (translation.Address.Value, translation.EntryPageSize));
        Assert.Equal(PagingEntry.Accessed, managed.Read(new(Upper), level) & PagingEntry.Accessed);
    }

    // Bit 7 only while the hypervisor's tables are walked, and never for rights. A reserved bit counts before the restart.
    [Theory]
    [InlineData(PagingEntry.Present, 0UL, PageFaultErrorCode.HypervisorManaged)]
    [InlineData(0UL, 1UL << 51 | PagingEntry.Restart, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved | PageFaultErrorCode.HypervisorManaged)]
    [InlineData(PagingEntry.User, 0UL, PageFaultErrorCode.Present)]
    [InlineData(0UL, PagingEntry.Restart, PageFaultErrorCode.None)]
    [Rule("E22")]
    [Rule("F03")]
    public void PageFault_OfHypervisorManagedTables_HasBitSevenUnlessRightsDeny(ulong clear, ulong set, PageFaultErrorCode expected)
    {
        using PagedMachine machine = Make(out PageTableBuilder managed, out EptBuilder ept);
        managed.Map(new(Upper), new(Managed), PageSize.Size4K, PagedMachine.Page);
        managed.Change(new(Upper), 1, set, clear);
        Use(machine, managed, ept, prefix: 0);

        Assert.False(machine.Mmu.TryTranslate(new(Upper), AccessKind.Read, AccessMode.User, out _));

        Assert.Equal(expected | PageFaultErrorCode.User, machine.Mmu.Fault.ErrorCode);
    }

    [Fact]
    [Rule("E22")]
    public void Access_FromATableThatOnlyPagingMayWrite_SetsItsFlags()
    {
        using PagedMachine machine = Make(out PageTableBuilder managed, out EptBuilder ept);
        managed.Map(new(Upper), new(Managed), PageSize.Size4K, PagedMachine.Page & ~PagingEntry.Accessed);
        GuestPhysicalAddress table = managed.Table(new(Upper), 1);
        ept.Change(table, 1, set: EptEntry.PagingWriteAccess, clear: EptEntry.Write);

        Use(machine, managed, ept, prefix: 0);
        Assert.Null(machine.Access(Upper));
        Assert.Equal(TranslationFailure.EptViolation, machine.Mmu.Fault.Failure);

        Use(machine, managed, ept, prefix: 0, isPagingWrite: true);
        Assert.Equal(Managed, machine.Access(Upper));
        Assert.Equal(PagingEntry.Accessed, managed.Read(new(Upper), 1) & PagingEntry.Accessed);

        // Nobody else may write there.
        machine.Map(Lower, table.Value);
        managed.Map(new(Lower), table, PageSize.Size4K, PagedMachine.Page);
        Assert.Null(machine.Access(Lower, AccessKind.Write));
    }

    [Fact]
    [Rule("E22")]
    public void Access_ToAVerifiedPageByAnotherTable_IsAViolationThatSaysSo()
    {
        const ulong Alias = Lower + 0x4000_0000;
        using PagedMachine machine = Make(out PageTableBuilder managed, out EptBuilder ept);
        managed.Map(new(Lower), new(Managed), PageSize.Size4K, PagedMachine.Page);
        machine.Map(Alias, Managed);
        managed.Map(new(Alias), new(Managed), PageSize.Size4K, PagedMachine.Page);
        for (int level = 1; level <= 4; level++)
            ept.Change(managed.Table(new(Lower), level), 1, EptEntry.PagingWriteAccess, 0);
        ept.Change(new(Managed), 1, EptEntry.VerifyGuestPaging, 0);
        Use(machine, managed, ept, prefix: 0, isPagingWrite: true);

        Assert.Equal(Managed, machine.Access(Lower));
        Assert.Null(machine.Access(Alias));

        // A read of the final address, which all rights would permit.
        Assert.Equal(0x81B9UL, (ulong)machine.Mmu.Fault.Qualification);
    }

    // HLATP: bits 2:0, 11:5 and those beyond the width are reserved.
    [Theory]
    [InlineData(0x21_0018UL, 0, true)]
    [InlineData(0x21_0004UL, 0, false)]
    [InlineData(0x21_0020UL, 0, false)]
    [InlineData(1UL << 46, 0, false)]
    [InlineData(0x21_0000UL, 1, true)]
    [InlineData(0x21_0000UL, 2, false)]
    [Rule("E22")]
    public void AreValid_Hlatp_MustBeAFrameWithPwtAndPcd(ulong pointer, byte prefix, bool valid) =>
        Assert.Equal(valid, new NestedControls { HlatPointer = pointer, HlatPrefixSize = prefix }.AreValid(46));

    // Of four pages that belong together in either set of tables one is sent back to CR3: none of them says anything of another.
    [Theory]
    [InlineData(0x1000UL, 0x2000UL)]
    [InlineData(0x2000UL, 0x1000UL)]
    [Rule("E22")]
    public void Access_WhereOnePageOfAGroupRestarts_UsesTheTablesOfEachPage(ulong first, ulong second)
    {
        const ulong Start = Upper & ~0x3FFFUL;
        using PagedMachine machine = Make(out PageTableBuilder managed, out EptBuilder ept, TestMmuConfigurations.Ideal() with
        {
            L1Data = TestMmuConfigurations.Level(TestMmuConfigurations.Array("l1d", 0, 0, IndexHash.Linear, Replacement.Lru, "4k") with { CoalescedPages = 4 }),
        });
        for (ulong at = 0; at < 0x4000; at += 0x1000)
        {
            managed.Map(new(Start + at), new(0x40_0000 + at), PageSize.Size4K, PagedMachine.Page);
            machine.Map(Start + at, 0x60_0000 + at);
        }

        managed.Change(new(Start + 0x1000), 1, set: PagingEntry.Restart, clear: 0);
        Use(machine, managed, ept, prefix: 0);

        foreach (ulong at in new[] { first, second, 0x3000UL })
            Assert.Equal((at == 0x1000 ? 0x60_0000UL : 0x40_0000) + at, machine.Access(Start + at));
    }

    private static PagedMachine Make(out PageTableBuilder managed, out EptBuilder ept) => Make(out managed, out ept, TestMmuConfigurations.Ideal());

    private static PagedMachine Make(out PageTableBuilder managed, out EptBuilder ept, MmuConfiguration configuration)
    {
        var machine = new PagedMachine(configuration);
        managed = machine.NewTables();
        ept = machine.NewEpt();
        ept.MapRange(new(0), new(0), 0x1000, PageSize.Size4K);
        return machine;
    }

    private static void Map(PagedMachine machine, PageTableBuilder managed, ulong linear, PageSize size)
    {
        managed.Map(new(linear), new(Managed), size, PagedMachine.Page);
        machine.Map(linear, Ordinary, size);
    }

    private static void Use(PagedMachine machine, PageTableBuilder managed, EptBuilder ept, byte prefix, bool isPagingWrite = false) =>
        machine.Mmu.SetContext(PagedMachine.Context(machine.Tables, pcid: 0) with
        {
            Eptp = ept.Eptp,
            Vpid = 1,
            Nested = new NestedControls
            {
                HlatPointer = managed.Root.Value,
                HlatPrefixSize = prefix,
                PagingWrite = isPagingWrite,
                GuestPagingVerification = isPagingWrite,
            },
        });
}
