using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Accessed and dirty flags where translations are cached. SDM 3, "Accessed and Dirty Flags" (A05, A06, A08).</summary>
public sealed class DirtyFlagTests
{
    private const ulong Linear = 0x1234_5678_9000;
    private const ulong Alias = 0x2234_5678_9000;
    private const ulong Target = 0x5_0000;
    private const ulong Clean = PagedMachine.Page & ~(PagingEntry.Accessed | PagingEntry.Dirty);

    public static TheoryData<string> Machines => PagedMachine.Machines;

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("A06")]
    [Rule("A01")]
    public void Access_WriteAfterReads_SetsDirtyInMemory(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Target, flags: Clean);

        machine.Access(Linear);
        machine.Access(Linear);
        Assert.Equal(PagingEntry.Accessed, Flags(machine, Linear));
        machine.Access(Linear, AccessKind.Write);

        Assert.Equal(PagingEntry.Accessed | PagingEntry.Dirty, Flags(machine, Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("A05")]
    public void Access_FlagsClearedWithoutInvalidation_StayClear(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Target, flags: Clean);
        machine.Access(Linear, AccessKind.Write);

        machine.Tables.Change(new(Linear), 1, 0, PagingEntry.Accessed | PagingEntry.Dirty);
        machine.Access(Linear);
        machine.Access(Linear, AccessKind.Write);
        Assert.Equal(0UL, Flags(machine, Linear));
        machine.Mmu.InvalidatePage(new(Linear));
        machine.Access(Linear, AccessKind.Write);

        Assert.Equal(PagingEntry.Accessed | PagingEntry.Dirty, Flags(machine, Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("A08")]
    public void Access_TwoMapEntriesOfOneFrame_EachGetsItsOwnDirty(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Target, flags: Clean);
        machine.Map(Alias, Target, flags: Clean);

        machine.Access(Alias);
        machine.Access(Linear, AccessKind.Write);
        Assert.Equal(PagingEntry.Accessed, Flags(machine, Alias));
        machine.Access(Alias, AccessKind.Write);

        Assert.Equal(PagingEntry.Accessed | PagingEntry.Dirty, Flags(machine, Alias));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void Access_LargePageWrittenAtOneAddress_NeedsNoSecondUpdateElsewhere(string name)
    {
        ulong page = Linear & ~PageSize.Size2M.OffsetMask();
        using var machine = PagedMachine.Named(name);
        machine.Map(page, 0x20_0000, PageSize.Size2M, Clean);

        machine.Access(page + 0x3000);
        machine.Access(page + 0x4000, AccessKind.Write);
        machine.Access(page + 0x3000, AccessKind.Write);

        ulong entry = machine.Tables.Read(new(page), 2);
        Assert.Equal(0x20_0000 | PagedMachine.Page | PagingEntry.PageSizeBit, entry);
    }

    [Theory]
    [InlineData(AccessKind.Read)]
    [InlineData(AccessKind.Fetch)]
    [Rule("A03")]
    public void Access_WithoutWriting_NeverSetsDirty(AccessKind kind)
    {
        using var machine = PagedMachine.Named("ideal");
        machine.Map(Linear, Target, flags: Clean);

        machine.Access(Linear, kind);
        machine.Access(Linear, kind);

        Assert.Equal(PagingEntry.Accessed, Flags(machine, Linear));
    }

    private static ulong Flags(PagedMachine machine, ulong linear) =>
        machine.Tables.Read(new(linear), 1) & (PagingEntry.Accessed | PagingEntry.Dirty);
}
