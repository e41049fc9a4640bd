using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Which bits of CR3 are an address, by paging mode. SDM 3, the tables of CR3 under "32-Bit Paging", "PAE Paging" and "4-Level Paging and 5-Level Paging".</summary>
public sealed class PagingRootTests
{
    private const ulong Linear = 0x1234_5000;
    private const ulong Target = 0x7_0000;

    /// <summary>4-level paging: without PCIDs bits 11:5 and 2:0 are ignored, and 4:3 are types; with them 11:0 are the PCID.</summary>
    [Theory]
    [InlineData(0xFFFUL, Cr4.None, 0)]
    [InlineData(0xFE7UL, Cr4.None, 0)]
    [InlineData(0xFFFUL, Cr4.PcidEnable, 0xFFF)]
    [Rule("P12")]
    public void Access_FourLevelPaging_IgnoresWhatIsNoAddress(ulong low, Cr4 pcids, int pcid)
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Uncached());
        machine.Map(Linear, Target);
        PagingContext context = machine.Mmu.Context;

        machine.Mmu.SetContext(context with { Cr3 = context.Cr3 | low, Cr4 = (context.Cr4 & ~Cr4.PcidEnable) | pcids });

        Assert.Equal(Target, machine.Access(Linear));
        Assert.Equal(pcid, machine.Mmu.Context.Pcid);
    }

    /// <summary>32-bit paging uses bits 31:12 and ignores the others, those that another mode would have reserved too.</summary>
    [Theory]
    [InlineData(0UL)]
    [InlineData(0xFFFUL)]
    [InlineData(0xFFFF_FFFF_0000_0000UL)]
    [Rule("P12")]
    public void Access_32BitPaging_UsesBits31To12(ulong others)
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Uncached());
        ulong directory = machine.NewFrame().Address.Value;
        ulong table = machine.NewFrame().Address.Value;
        machine.Memory.Write(new HostPhysicalAddress(directory + (4 * (Linear >> 22))), (uint)(table | PagedMachine.Page));
        machine.Memory.Write(new HostPhysicalAddress(table + (4 * ((Linear >> 12) & 0x3FF))), (uint)(Target | PagedMachine.Page));

        machine.Mmu.SetContext(machine.Mmu.Context with { Cr3 = directory | others, Cr4 = Cr4.None, Efer = Efer.None });

        Assert.Equal(Target, machine.Access(Linear));
    }

    /// <summary>PAE paging: bits 31:5 are the address of a table of 32 bytes.</summary>
    [Theory]
    [InlineData(0UL)]
    [InlineData(0x1FUL)]
    [InlineData(0xFFFF_FFFF_0000_0018UL)]
    [Rule("P12")]
    [Rule("P05")]
    public void LoadPdptes_UsesBits31To5(ulong others)
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Uncached());
        ulong table = machine.NewFrame().Address.Value + 0x60;
        for (ulong i = 0; i < 4; i++)
            machine.Memory.Write(new HostPhysicalAddress(table + (8 * i)), ((0x10 + i) << 12) | PagingEntry.Present);

        Assert.Equal(PdpteLoad.Loaded, machine.Mmu.LoadPdptes(table | others, out PdpteRegisters loaded));

        Assert.Equal(new PdpteRegisters(0x1_0001, 0x1_1001, 0x1_2001, 0x1_3001), loaded);
    }

    /// <summary>SDM 3, "Paging and Memory Typing": the load is of write-back memory; under EPT its type counts.</summary>
    [Theory]
    [InlineData(Cr0.None, null, MemoryType.WriteBack)]
    [InlineData(Cr0.CacheDisable, null, MemoryType.WriteBack)]
    [InlineData(Cr0.None, MemoryType.WriteThrough, MemoryType.WriteThrough)]
    [InlineData(Cr0.None, MemoryType.WriteBack, MemoryType.WriteBack)]
    [Rule("M02")]
    public void InspectPdptes_OfALoad_TellsWriteBackOrTheTypeOfEpt(Cr0 cache, MemoryType? nested, MemoryType expected)
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Ideal());
        ulong table = machine.NewFrame().Address.Value + 0x60;
        machine.Memory.Write(new HostPhysicalAddress(table + 8), 0x1_1001UL);
        EptBuilder ept = machine.NewEpt();
        ept.Map(new(table), new(table), PageSize.Size4K, EptEntry.Rights | ((ulong)(nested ?? 0) << 3));
        PagingContext context = machine.Mmu.Context;
        machine.Mmu.SetContext(context with { Cr0 = context.Cr0 | cache, Eptp = nested is null ? 0 : ept.Eptp, Vpid = 1 });

        IReadOnlyList<WalkReference> reads = machine.Mmu.InspectPdptes(table);

        Assert.Equal(nested is null ? 4 : 8, reads.Count);
        Assert.All(reads.TakeLast(4), read => Assert.Equal((WalkDimension.Guest, 3, expected), (read.Dimension, read.Level, read.MemoryType)));
        Assert.Equal((0x1_1001UL, new HostPhysicalAddress(table + 8)), (reads[^3].Before, reads[^3].Entry));
    }

    /// <summary>SDM 3, "Propagation of Paging-Structure Changes to Multiple Processors": what one MMU invalidates, the other keeps.</summary>
    [Fact]
    [Rule("T16")]
    public void InvalidatePage_OfOneMmu_LeavesAnotherOnTheSameTables()
    {
        const ulong New = 0x8_0000;
        using var machine = new PagedMachine(TestMmuConfigurations.Ideal());
        machine.Map(Linear, Target);
        IMmu other = MmuUnderTest.Create(TestMmuConfigurations.Ideal(), machine.Memory);
        other.SetContext(machine.Mmu.Context);
        Assert.Equal((Target, Target), (machine.Access(Linear), Read(other)));

        machine.Map(Linear, New);
        machine.Mmu.InvalidatePage(new(Linear));
        Assert.Equal((New, Target), (machine.Access(Linear), Read(other)));

        other.InvalidatePage(new(Linear));
        Assert.Equal(New, Read(other));
    }

    private static ulong? Read(IMmu mmu) =>
        mmu.TryTranslate(new(Linear), AccessKind.Read, AccessMode.Supervisor, out Translation translation) ? translation.Address.Value : null;
}
