using Mmu86.Cpu;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class RunCountsReaderTests : IDisposable
{
    private const ulong Root = 0x1000;
    private const int Pages = 100;

    private readonly HostMemory _memory = new(16 << 20);

    public RunCountsReaderTests()
    {
        // One PTE table that maps the first 2 MiB to themselves, not writable but for page 0.
        for (ulong table = 0; table < 3; table++)
            _memory.Write(new HostPhysicalAddress(Root + (table * 0x1000)), (Root + ((table + 1) * 0x1000)) | PagingEntry.Present | PagingEntry.Writable | PagingEntry.User);
        for (ulong page = 0; page < 512; page++)
            _memory.Write(new HostPhysicalAddress(Root + 0x3000 + (page * 8)), (page << 12) | PagingEntry.Present | PagingEntry.User | (page == 0 ? PagingEntry.Writable : 0));
    }

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void Read_SkylakePastItsFirstLevel_AddsPenaltiesToCycles()
    {
        RunCounts counts = Run("skylake", PagingMode.Native, Fidelity.Tlb);
        LookupCounts l1d = counts.Tlb!.L1d!;
        Assert.Equal(2 * Pages, l1d.Lookups);
        Assert.Equal(l1d.Lookups, l1d.Hits + l1d.Misses);
        Assert.Equal(l1d.Lookups, l1d.BySize!.Size4K!.Lookups + l1d.Unresolved);
        Assert.Equal(l1d.Misses, counts.Tlb.L2!.Lookups);
        Assert.Equal(Pages, counts.Walks!.Count);
        Assert.Equal(Pages, counts.Walks.ByReason.Miss);
        Assert.Equal((12 * counts.Walks.Count) + (5 * counts.Walks.References), counts.Walks.Cycles);
        Assert.Equal((7 * counts.Tlb.L2.Hits) + counts.Walks.Cycles, counts.Cycles);
        Assert.True(counts.Tlb.L2.Hits > 0);
    }

    [Fact]
    public void Read_Skylake_NamesArraysAsTheMachineDoes()
    {
        RunCounts counts = Run("skylake", PagingMode.Native, Fidelity.Tlb);
        Assert.Equal(["l1i-4k", "l1i-2m", "l1d-4k", "l1d-2m", "l1d-1g", "l2-4k-2m", "l2-1g"], counts.Tlb!.Structures.Keys);
        Assert.Null(counts.Tlb.Structures["l1d-4k"].BySize!.Size2M);
        Assert.NotNull(counts.Tlb.Structures["l2-4k-2m"].BySize!.Size2M);
        Assert.NotNull(counts.Walks!.StructureCaches.Pde);
        Assert.Null(counts.Walks.StructureCaches.NestedTlb);
        Assert.Null(counts.Faults.EptViolations);
    }

    [Fact]
    public void Read_Uncached_HasMissesOnlyAndNoStructureCaches()
    {
        RunCounts counts = Run("uncached", PagingMode.Native, Fidelity.Tlb);
        Assert.Equal((0L, 2L * Pages), (counts.Tlb!.L1d!.Hits, counts.Tlb.L1d.Misses));
        Assert.Equal(4 * counts.Walks!.Count, counts.Walks.References);
        Assert.Null(counts.Walks.StructureCaches.Pde);
        Assert.Empty(counts.Tlb.Structures);
    }

    [Fact]
    public void Read_Fast_HasNoTranslationHardware()
    {
        RunCounts counts = Run("skylake", PagingMode.Native, Fidelity.Fast);
        Assert.Null(counts.Tlb);
        Assert.Null(counts.Walks);
        Assert.Null(counts.Cycles);
    }

    [Fact]
    public void Read_FaultingWalk_IsUnresolvedAndCostsCycles()
    {
        MachineDescription machine = MachineCatalogue.Preset("skylake");
        using Mmu<Unobserved> mmu = Build(machine);
        Assert.False(mmu.TryTranslate(new LinearAddress(0x40_0000), AccessKind.Read, AccessMode.User, out _));
        RunCounts counts = new RunCountsReader(machine, PagingMode.Native, Fidelity.Tlb).Read(new CpuCounters(), mmu.Snapshot(1, 0));
        Assert.Equal((1L, 0L, 1L), (counts.Tlb!.L1d!.Unresolved, counts.Walks!.Count, counts.Walks.Faulted));
        Assert.Equal(12 + (5 * counts.Walks.FaultedReferences), counts.Cycles);
    }

    private RunCounts Run(string name, PagingMode paging, Fidelity fidelity)
    {
        MachineDescription machine = MachineCatalogue.Preset(name);
        using Mmu<Unobserved> mmu = Build(machine);
        for (int round = 0; round < 2; round++)
        {
            for (ulong page = 0; page < Pages; page++)
                Assert.True(mmu.TryTranslate(new LinearAddress(page << 12), AccessKind.Read, AccessMode.User, out _));
        }

        return new RunCountsReader(machine, paging, fidelity).Read(new CpuCounters(), mmu.Snapshot(2 * Pages, 0));
    }

    private Mmu<Unobserved> Build(MachineDescription machine)
    {
        var mmu = new Mmu<Unobserved>(_memory, machine.ToMmuConfiguration(seed: 1), default);
        mmu.SetContext(new PagingContext
        {
            Cr0 = Cr0.ProtectionEnable | Cr0.Paging | Cr0.WriteProtect,
            Cr3 = Root,
            Cr4 = Cr4.PhysicalAddressExtension,
            Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
            Eptp = 0,
            Vpid = 0,
        });
        return mmu;
    }
}
