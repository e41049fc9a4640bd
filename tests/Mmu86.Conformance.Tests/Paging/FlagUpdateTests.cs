using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Setting accessed and dirty loses nothing that was written to the entry since it was read.</summary>
public sealed class FlagUpdateTests
{
    private const ulong Linear = 0x1234_5680_9000;
    private const ulong Page = 0x80_9000;

    public static TheoryData<string, AccessKind> Cases()
    {
        var cases = new TheoryData<string, AccessKind>();
        foreach (string machine in new[] { "ideal", "two-level", "only-4k" })
        {
            cases.Add(machine, AccessKind.Read);
            cases.Add(machine, AccessKind.Write);
        }

        return cases;
    }

    /// <summary>
    /// One table is the guest's page table and EPT's: the word that maps the page for the guest also maps it for EPT. Between the guest's read
    /// of the entry and its flags EPT sets bits 8 and 9 of the same word; bits 5 and 6 must join them.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    [Rule("A02")]
    public void Access_EntryThatEptChangesMeanwhile_KeepsTheFlagsOfBoth(string name, AccessKind kind)
    {
        using var machine = PagedMachine.Named(name);
        EptBuilder ept = machine.NewEpt();
        ept.MapRange(default, default, 0x400, PageSize.Size4K);
        machine.Map(Linear, Page);
        machine.Tables.Write(new(Linear), 1, Page | EptEntry.Rights);
        ept.Reach(new(Page), 1);
        ept.Write(new(Page), 2, machine.Tables.Table(new(Linear), 1).Value | EptEntry.Rights);
        machine.Use(machine.Tables, pcid: 0, ept.EptpWithAccessedAndDirty, vpid: 1);

        Assert.Equal(Page, machine.Access(Linear, kind));

        ulong guest = PagingEntry.Accessed | (kind == AccessKind.Write ? PagingEntry.Dirty : 0);
        ulong second = EptEntry.Accessed | (kind == AccessKind.Write ? EptEntry.Dirty : 0);
        Assert.Equal(Page | EptEntry.Rights | guest | second, machine.Tables.Read(new(Linear), 1));
    }
}
