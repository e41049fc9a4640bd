using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>What is counted, and where.</summary>
public sealed class StatisticsTests
{
    private const ulong Small = 0x40_0000;
    private const ulong Large = 0x1_0000_0000;
    private const ulong UserPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    private static World Build(MmuConfiguration machine, out FilteredCpu cpu)
    {
        var world = new World();
        for (ulong i = 0; i < 128; i++)
            world.Map(Small + (i << 12), 0x80_0000 + (i << 12), PageSize.Size4K, UserPage);
        world.Map(Large, 0x100_0000, PageSize.Size2M, UserPage);
        cpu = new FilteredCpu(world, world.Mmu(machine));
        return world;
    }

    private static void Read(FilteredCpu cpu, ulong linear) => Assert.True(cpu.Access(linear, AccessKind.Read, AccessMode.User).Succeeded);

    [Fact]
    public void Read_SixtyFivePages_MissOnceInSixtyFourEntries()
    {
        // 16 sets of 4: the 65th page meets a full set, everything else fits. The second round finds all in the second level.
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        for (int round = 0; round < 2; round++)
        {
            for (ulong i = 0; i < 65; i++)
                Read(cpu, Small + (i << 12));
        }

        MmuStatistics statistics = cpu.Snapshot();
        Assert.Equal(130ul, statistics.L1Data.Lookups);
        Assert.Equal(65ul, statistics.Walks.Count);
        Assert.Equal(statistics.L1Data.Fills - 64, statistics.L1Data.Evictions);
        Assert.Equal(statistics.L1Data.Misses - 65, statistics.L2.Hits);
        Assert.Equal(65ul, statistics.L2.Misses);
        Assert.Equal(0ul, statistics.L1Instruction.Lookups);
        StatisticsRules.Hold(statistics);
    }

    [Fact]
    public void Read_BothPageSizes_AreAttributedExactlyThoughTheFilterAnswers()
    {
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        for (int i = 0; i < 1000; i++)
            Read(cpu, Small);
        for (int i = 0; i < 3000; i++)
        {
            Read(cpu, Large + ((ulong)(i & 7) << 12));
            cpu.Attribute();
        }

        MmuStatistics statistics = cpu.Snapshot();
        Assert.Equal((999ul, 1ul), (statistics.L1Data[PageSize.Size4K].Hits, statistics.L1Data[PageSize.Size4K].Misses));
        Assert.Equal((2999ul, 1ul), (statistics.L1Data[PageSize.Size2M].Hits, statistics.L1Data[PageSize.Size2M].Misses));
        TlbStatistics large = statistics.Structures.Single(array => array.Name == "l1d-2m");
        Assert.Equal((3000ul, 2999ul), (large.Lookups, large.Hits));
        // The large pages were served by the filter too, once it was known that they are what the program uses.
        Assert.True(cpu.Silent > 3000, $"only {cpu.Silent} were silent");
    }

    [Fact]
    public void Attribute_PageSizesAlternating_StaysWithTheMoreFrequent()
    {
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        for (int i = 0; i < 20_000; i++)
        {
            Read(cpu, i % 4 == 0 ? Large : Small);
            cpu.Attribute();
        }

        MmuStatistics statistics = cpu.Snapshot();
        Assert.Equal(4999ul, statistics.L1Data[PageSize.Size2M].Hits);
        Assert.Equal(14_999ul, statistics.L1Data[PageSize.Size4K].Hits);
        Assert.True(cpu.Silent > 14_000, $"only {cpu.Silent} were silent");
    }

    [Fact]
    public void Snapshot_TakenTwice_ChangesNothing()
    {
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        for (int i = 0; i < 100; i++)
            Read(cpu, Small);

        string first = StatisticsText.Of(cpu.Snapshot());

        Assert.Equal(first, StatisticsText.Of(cpu.Snapshot()));
        Assert.Equal(99ul, cpu.Snapshot().L1Data.Hits);
    }

    [Fact]
    public void Since_AnEarlierSnapshot_IsWhatHappenedBetween()
    {
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        for (ulong i = 0; i < 100; i++)
            Read(cpu, Small + (i << 12));
        MmuStatistics start = cpu.Snapshot();
        for (int i = 0; i < 50; i++)
            Read(cpu, Small);
        Read(cpu, Large);

        MmuStatistics measured = cpu.Snapshot().Since(start);

        Assert.Equal(51ul, measured.L1Data.Lookups);
        Assert.Equal(1ul, measured.Walks.Count);
        // The PML4E is cached; PDPTE and PDE are read.
        Assert.Equal(2ul, measured.Walks.References);
        Assert.Equal(1ul, measured.Structures.Single(array => array.Name == "l1d-2m").Fills);
        Assert.Equal(1ul, measured.Walks.StructureCaches.Single(cache => cache.Name == "pde").Misses);
    }

    [Fact]
    public void Read_Faults_AreUnresolvedAtEveryLevelAndOfNoSize()
    {
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        Assert.False(cpu.Access(0x7000_0000, AccessKind.Read, AccessMode.User).Succeeded);
        Assert.False(cpu.Access(1UL << 55, AccessKind.Read, AccessMode.User).Succeeded);

        MmuStatistics statistics = cpu.Snapshot();
        Assert.Equal((1ul, 0ul, 1ul, 1ul), (statistics.L1Data.Lookups, statistics.L1Data.Hits, statistics.L1Data.Misses, statistics.L1Data.Unresolved));
        Assert.Equal(1ul, statistics.L2.Unresolved);
        Assert.Equal((0ul, 1ul, 0ul), (statistics.Walks.Count, statistics.Walks.Faulted, statistics.Walks.References));
        Assert.Equal(2ul, statistics.Walks.FaultedReferences);
        Assert.Equal(new FaultStatistics(1, 0, 0), statistics.Faults);
    }

    [Fact]
    public void Write_CachedEntryDeniesAndSoDoTheTables_IsUnresolvedAndNoHit()
    {
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        world.Change(world.Entry(Small, 1), PagingEntry.Writable, 0);
        Read(cpu, Small);
        Assert.False(cpu.Access(Small, AccessKind.Write, AccessMode.User).Succeeded);

        MmuStatistics statistics = cpu.Snapshot();
        Assert.Equal((2ul, 0ul, 2ul, 1ul), (statistics.L1Data.Lookups, statistics.L1Data.Hits, statistics.L1Data.Misses, statistics.L1Data.Unresolved));
        Assert.Equal((2ul, 2ul), (statistics.L2.Lookups, statistics.L2.Misses));
        StatisticsRules.Hold(statistics);
    }

    [Fact]
    public void Uncached_AnyAccess_IsAMissAtEveryLevelOfItsOwnPageSize()
    {
        using World world = Build(Machines.Uncached, out FilteredCpu cpu);
        Read(cpu, Small);
        Read(cpu, Small);
        Read(cpu, Large);

        MmuStatistics statistics = cpu.Snapshot();
        Assert.False(statistics.L1Data.Exists);
        Assert.Equal((3ul, 3ul), (statistics.L1Data.Lookups, statistics.L1Data.Misses));
        Assert.Equal((2ul, 1ul), (statistics.L1Data[PageSize.Size4K].Misses, statistics.L1Data[PageSize.Size2M].Misses));
        Assert.Equal(11ul, statistics.Walks.References);
        Assert.All(statistics.Walks.StructureCaches, cache => Assert.False(cache.Exists));
        Assert.Empty(statistics.Structures);
    }

    [Fact]
    public void Ideal_ManyPages_MissOnceEach()
    {
        using var world = new World();
        const ulong Pages = 5000;
        for (ulong i = 0; i < Pages; i++)
            world.Map(Large + (i << 12), (i & 0xFFF) << 12, PageSize.Size4K, UserPage);
        var cpu = new FilteredCpu(world, world.Mmu(Machines.Ideal));
        for (int round = 0; round < 3; round++)
        {
            for (ulong i = 0; i < Pages; i++)
                Assert.Equal((i & 0xFFF) << 12, cpu.Access(Large + (i << 12), AccessKind.Read, AccessMode.User).Host);
        }

        MmuStatistics statistics = cpu.Snapshot();
        Assert.Equal((Pages * 3, Pages, 0ul), (statistics.L1Data.Lookups, statistics.L1Data.Misses, statistics.L1Data.Evictions));
        Assert.Equal(Pages, statistics.Walks.Count);
    }

    [Fact]
    public void TwoArraysOfOneSize_ManyPages_AreBothUsedAndSumUp()
    {
        using World world = Build(FuzzMachines.Get("two-arrays"), out FilteredCpu cpu);
        for (ulong i = 0; i < 32; i++)
            Read(cpu, Small + (i << 12));

        MmuStatistics statistics = cpu.Snapshot();
        TlbStatistics a = statistics.Structures.Single(array => array.Name == "l1d-a");
        TlbStatistics b = statistics.Structures.Single(array => array.Name == "l1d-b");
        Assert.Equal((16ul, 16ul), (a.Fills, b.Fills));
        Assert.Equal(statistics.L1Data.Lookups, a.Lookups + b.Lookups);
        Assert.Equal(0ul, statistics.L1Data.Evictions);
    }

    [Fact]
    public void InstructionSideChanges_CountUp_OnlyWhenAnInstructionEntryGoes()
    {
        using World world = Build(Machines.Skylake, out FilteredCpu cpu);
        Mmu<Unobserved> mmu = cpu.Mmu;
        Assert.True(cpu.Access(Small, AccessKind.Fetch, AccessMode.User).Succeeded);
        ulong before = mmu.InstructionSideChanges;
        for (ulong i = 0; i < 128; i++)
            Read(cpu, Small + (i << 12));
        Assert.Equal(before, mmu.InstructionSideChanges);

        mmu.InvalidatePage(new LinearAddress(Small));
        Assert.NotEqual(before, mmu.InstructionSideChanges);

        before = mmu.InstructionSideChanges;
        for (ulong i = 0; i < 9; i++)
            Assert.True(cpu.Access(Small + (i << 16 >> 4), AccessKind.Fetch, AccessMode.User).Succeeded);
        Assert.Equal(before, mmu.InstructionSideChanges);
        mmu.InvalidatePcid(0);
        Assert.NotEqual(before, mmu.InstructionSideChanges);
    }
}
