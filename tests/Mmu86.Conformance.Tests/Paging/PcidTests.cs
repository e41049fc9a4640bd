using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Process-context identifiers. SDM 3, "Process-Context Identifiers (PCIDs)" (T02, T06 to T08).</summary>
public sealed class PcidTests
{
    private const ulong Linear = 0x4000_0000_1000;
    private const ulong First = 0x5_0000;
    private const ulong Second = 0x6_0000;
    private const ulong New = 0x7_0000;

    public static TheoryData<string> Machines => PagedMachine.Machines;

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T02")]
    [Rule("T08")]
    public void SetContext_BetweenTwoPcids_EachKeepsItsTranslations(string name)
    {
        using var machine = TwoSpaces(name, out PageTableBuilder second);
        machine.Map(Linear, New);
        second.Map(new(Linear), new(New), PageSize.Size4K, PagedMachine.Page);

        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(First, machine.Access(Linear));
        machine.Use(second, pcid: 2);

        Assert.Equal(Second, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T08")]
    public void InvalidatePcid_OnePcid_KeepsTheOther(string name)
    {
        using var machine = TwoSpaces(name, out PageTableBuilder second);
        machine.Map(Linear, New);
        second.Map(new(Linear), new(New), PageSize.Size4K, PagedMachine.Page);

        machine.Mmu.InvalidatePcid(1);

        Assert.Equal(Second, machine.Access(Linear));
        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T06")]
    public void InvalidatePage_OfTheCurrentPcid_KeepsTheOther(string name)
    {
        using var machine = TwoSpaces(name, out PageTableBuilder second);
        machine.Map(Linear, New);
        second.Map(new(Linear), new(New), PageSize.Size4K, PagedMachine.Page);

        machine.Mmu.InvalidatePage(new(Linear));

        Assert.Equal(New, machine.Access(Linear));
        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(First, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T07")]
    public void InvalidatePage_OfAnotherPcid_ReachesItFromAfar(string name)
    {
        using var machine = TwoSpaces(name, out PageTableBuilder second);
        machine.Map(Linear, New);
        second.Map(new(Linear), new(New), PageSize.Size4K, PagedMachine.Page);

        machine.Mmu.InvalidatePage(new(Linear), pcid: 1);

        Assert.Equal(Second, machine.Access(Linear));
        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T07")]
    public void InvalidateAllNonGlobal_ReachesEveryPcid(string name)
    {
        using var machine = TwoSpaces(name, out PageTableBuilder second);
        machine.Map(Linear, New);
        second.Map(new(Linear), new(New + 0x1000), PageSize.Size4K, PagedMachine.Page);

        machine.Mmu.InvalidateAllNonGlobal();

        Assert.Equal(New + 0x1000, machine.Access(Linear));
        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(New, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T02")]
    [Rule("T10")]
    public void Access_PcidsOff_AllIsTaggedZero(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, First);
        PagingContext context = machine.Mmu.Context;
        // Bits 4:3 are PCD and PWT then, no part of any tag.
        machine.Mmu.SetContext(context with { Cr4 = context.Cr4 & ~Cr4.PcidEnable, Cr3 = context.Cr3 | 0x18 });
        Assert.Equal(First, machine.Access(Linear));

        machine.Map(Linear, New);
        machine.Use(machine.Tables, pcid: 0);

        Assert.Equal(First, machine.Access(Linear));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("T02")]
    [Rule("T06")]
    [Rule("T22")]
    public void InvalidatePage_StructureCachesOfAnotherPcid_Stay(string name)
    {
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, First);
        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(First, machine.Access(Linear));
        ulong neighbour = Linear + 0x1000;
        machine.Map(neighbour, First + 0x1000);
        ulong table = machine.NewFrame().Address.Value;
        machine.Memory.Write(new HostPhysicalAddress(table + (((neighbour >> 12) & 0x1FF) * 8)), New | PagedMachine.Page);

        // The page directory now names another table. INVLPG under PCID 2 says nothing about what PCID 1 has cached.
        machine.Tables.Write(new(Linear), 2, table | (PagedMachine.Page & ~PagingEntry.Dirty));
        machine.Use(machine.Tables, pcid: 2);
        machine.Mmu.InvalidatePage(new(Linear));

        Assert.Equal(New, machine.Access(neighbour));
        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(First + 0x1000, machine.Access(neighbour));
    }

    [Fact]
    public void InvalidatePcid_ManyThousandTimes_NeverBringsAnOldTranslationBack()
    {
        // Invalidating a whole PCID may be done by giving it a new name. Names run out and are used again, some after a long life.
        using var machine = PagedMachine.Named("ideal");
        var random = new Random(1);
        ulong?[] cached = new ulong?[1500];
        for (int i = 0; i < 40_000; i++)
        {
            ushort pcid = (ushort)random.Next(cached.Length);
            machine.Use(machine.Tables, pcid);
            ulong target = (uint)random.Next(16) << 12;
            machine.Map(Linear, target);
            if (random.Next(3) != 0)
            {
                machine.Mmu.InvalidatePcid(pcid);
                cached[pcid] = null;
            }

            Assert.Equal(cached[pcid] ?? target, machine.Access(Linear));
            cached[pcid] ??= target;
        }
    }

    // The same page in PCID 1 and in PCID 2, which is in force at the end.
    private static PagedMachine TwoSpaces(string name, out PageTableBuilder second)
    {
        PagedMachine machine = PagedMachine.Named(name);
        machine.Map(Linear, First);
        second = machine.NewTables();
        second.Map(new(Linear), new(Second), PageSize.Size4K, PagedMachine.Page);
        machine.Use(machine.Tables, pcid: 1);
        Assert.Equal(First, machine.Access(Linear));
        machine.Use(second, pcid: 2);
        Assert.Equal(Second, machine.Access(Linear));
        return machine;
    }
}
