using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Global pages. SDM 3, "Global Pages" (T02, T21).</summary>
public sealed class GlobalPageTests
{
    private const ulong Linear = 0xFFFF_8100_0020_3000;
    private const ulong Old = 0x5_0000;
    private const ulong New = 0x6_0000;

    public static TheoryData<string> Machines => PagedMachine.Machines;

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T02")]
    [Rule("T21")]
    public void Access_GlobalPageUnderAnotherPcid_UsesTheSameEntryEvenWhereTablesDiffer(string name)
    {
        using var machine = Filled(name, PagingEntry.Global);
        PageTableBuilder others = machine.NewTables();
        others.Map(new(Linear), new(New), PageSize.Size4K, PagedMachine.Page);

        machine.Use(others, pcid: 7);

        Assert.Equal(Old, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T21")]
    public void Invalidations_ThatMayKeepGlobals_KeepThem(string name)
    {
        using var machine = Filled(name, PagingEntry.Global);
        machine.Map(Linear, New);

        machine.Mmu.InvalidatePcid(0);
        Assert.Equal(Old, machine.Access(Linear));
        machine.Mmu.InvalidateAllNonGlobal();
        Assert.Equal(Old, machine.Access(Linear));
        machine.Mmu.InvalidatePage(new(Linear), pcid: 0);

        Assert.Equal(Old, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T06")]
    [Rule("T21")]
    public void InvalidatePage_FromAnyPcid_RemovesGlobalTranslation(string name)
    {
        using var machine = Filled(name, PagingEntry.Global);
        machine.Map(Linear, New);

        machine.Use(machine.Tables, pcid: 3);
        machine.Mmu.InvalidatePage(new(Linear));

        Assert.Equal(New, machine.Access(Linear));
        machine.Use(machine.Tables, pcid: 0);
        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T09")]
    [Rule("T21")]
    public void InvalidateAll_RemovesGlobalTranslation(string name)
    {
        using var machine = Filled(name, PagingEntry.Global);
        machine.Map(Linear, New);

        machine.Mmu.InvalidateAll();

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T21")]
    public void Access_GlobalFlagWhilePgeIsOff_IsIgnored(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Mmu.SetContext(machine.Mmu.Context with { Cr4 = machine.Mmu.Context.Cr4 & ~Cr4.PageGlobalEnable });
        machine.Map(Linear, Old, flags: PagedMachine.Page | PagingEntry.Global);
        Assert.Equal(Old, machine.Access(Linear));

        machine.Map(Linear, New);
        machine.Mmu.InvalidatePcid(0);

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T02")]
    public void Access_GlobalFlagInEntriesThatReferenceTables_IsIgnored(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Old);
        for (int level = 2; level <= 4; level++)
            machine.Tables.Change(new(Linear), level, PagingEntry.Global, 0);
        Assert.Equal(Old, machine.Access(Linear));

        machine.Map(Linear, New);
        machine.Mmu.InvalidatePcid(0);

        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T02")]
    public void InvalidatePcid_GlobalPage_StillDropsTheStructureCachesBelowIt(string name)
    {
        using var machine = Filled(name, PagingEntry.Global);
        ulong table = machine.NewFrame().Address.Value;
        ulong neighbour = Linear + 0x1000;
        machine.Memory.Write(new HostPhysicalAddress(table + (((neighbour >> 12) & 0x1FF) * 8)), New | PagedMachine.Page);

        machine.Tables.Write(new(Linear), 2, table | PagedMachine.Page & ~PagingEntry.Dirty);
        machine.Mmu.InvalidatePcid(0);

        Assert.Equal(New, machine.Access(neighbour));
        Assert.Equal(Old, machine.Access(Linear));
    }

    private static PagedMachine Filled(string name, ulong flags)
    {
        PagedMachine machine = PagedMachine.Named(name);
        machine.Map(Linear, Old, flags: PagedMachine.Page | flags);
        Assert.Equal(Old, machine.Access(Linear));
        return machine;
    }
}
