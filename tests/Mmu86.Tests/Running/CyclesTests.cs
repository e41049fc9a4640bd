using Mmu86.Cpu;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running;

/// <summary>The fidelity <c>cycles</c>: it adds time, and changes nothing else.</summary>
public sealed class CyclesTests
{
    // Golden Cove as far as its published curve needs it: 96 entries in 6 ways for data pages, 48 KiB of L1 data cache.
    private static readonly string[] GoldenCove =
    [
        "mmu.l1Data.arrays[0].ways=6", "mmu.l1Data.arrays[0].replacement=lru",
        "caches.l1Data.sizeInBytes=49152", "caches.l1Data.ways=12", "caches.l1Data.replacement=lru", "caches.l1Data.latencyCycles=5",
        "caches.l2.sizeInBytes=2097152", "caches.l2.ways=16", "caches.l2.latencyCycles=16", "caches.l3.latencyCycles=70",
    ];

    public static TheoryData<string> Guests => [.. SmallRuns.Guests];

    [Theory]
    [MemberData(nameof(Guests))]
    public void Run_WithTheInstructionClock_DoesAndCountsAllThatTlbDoes(string guest)
    {
        foreach (PagingMode paging in new[] { PagingMode.Native, PagingMode.Nested })
        {
            RunTrace tlb = SmallRuns.Run(SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size4K), null, null);
            RunTrace cycles = SmallRuns.Run(SmallRuns.Options(guest, paging, Fidelity.Cycles, PageSize.Size4K), null, null);
            RunTrace.AssertSame(tlb.WithoutTime(), cycles.WithoutTime());
        }
    }

    [Theory]
    [InlineData("quicksort 3000")]
    [InlineData("strings 2")]
    [InlineData("gups 400 4000")]
    [InlineData("kernel-demand-paging")]
    [InlineData("kernel-two-processes")]
    [InlineData("kernel-local-apic")]
    public void Run_CutIntoSlicesOrObserved_CountsTheSameCycles(string guest)
    {
        RunOptions options = SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Cycles, PageSize.Size4K, "clock.counts=cycles");
        RunTrace whole = SmallRuns.Run(options, null, null);
        RunTrace.AssertSame(whole, SmallRuns.Run(options, Slices(1), null));
        RunTrace.AssertSame(whole, SmallRuns.Run(options, null, new IgnoringObserver()));
    }

    [Theory]
    [InlineData("quicksort 3000")]
    [InlineData("strings 2")]
    [InlineData("gups 400 4000")]
    [InlineData("kernel-demand-paging")]
    [InlineData("kernel-two-processes")]
    [InlineData("kernel-local-apic")]
    public void CycleClock_OfTlb_DoesNotDependOnHowTheRunIsCutOrLookedUp(string guest)
    {
        RunOptions options = SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K, "clock.counts=cycles");
        RunTrace whole = SmallRuns.Run(options, null, null);
        RunTrace.AssertSame(whole, SmallRuns.Run(options, Slices(2), null));
        RunTrace.AssertSame(whole, SmallRuns.Run(
            SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K, "clock.counts=cycles", "mmu.lookUpEveryAccess=true"), null, null));
    }

    [Theory]
    [InlineData("gups 400 4000", PagingMode.Native)]
    [InlineData("gups 400 4000", PagingMode.Nested)]
    [InlineData("kernel-two-processes", PagingMode.Nested)]
    public void Counts_OfCaches_AddUp(string guest, PagingMode paging)
    {
        RunReport report = new GuestRunner(SmallRuns.Options(guest, paging, Fidelity.Cycles, PageSize.Size4K), GuestOutput.None).Run(CancellationToken.None);
        IReadOnlyDictionary<string, CacheCounts> caches = report.Caches!;
        Assert.Equal(["l1i", "l1d", "l2", "l3"], caches.Keys);
        Assert.Equal(["l1d", "l2", "l3", "memory"], report.Walks!.ReferenceHits!.Keys);
        Assert.Equal(report.Walks.References, report.Walks.ReferenceHits.Values.Sum());
        Assert.Equal(report.Walks.References + report.Walks.FaultedReferences, caches["l1d"].WalkReferences);
        Assert.Equal(caches["l1i"].Misses + caches["l1d"].Misses, caches["l2"].References);
        Assert.Equal(caches["l2"].Misses, caches["l3"].References);
        Assert.True(caches["l1i"].References >= report.Accesses.Fetches);
        Assert.All(caches.Values, cache => Assert.Equal(cache.References, cache.Hits + cache.Misses));
        Assert.True(report.Cycles >= report.Instructions);
    }

    // Measured on silicon: 5 cycles up to 96 pages, 12 up to 768, then 23.
    [Theory]
    [InlineData(8, 5)]
    [InlineData(96, 5)]
    [InlineData(112, 12)]
    [InlineData(768, 12)]
    [InlineData(1000, 23)]
    public void PointerChase_OverThePublishedKnees_TakesThePublishedCycles(int pages, int cycles)
    {
        const int Steps = 20_000;
        RunReport report = new GuestRunner(
            SmallRuns.Options($"pointer-chase {pages} {Steps}", PagingMode.Native, Fidelity.Cycles, PageSize.Size4K, GoldenCove), GuestOutput.None).Run(CancellationToken.None);
        double step = (double)report.Measured!.Cycles!.Value / Steps;
        Assert.InRange(step, cycles - 0.25, cycles + 0.25);
    }

    [Fact]
    public void PointerChase_OnePageBeyondAKnee_IsSlower()
    {
        Assert.True(Chase(97) > Chase(96) + 2000);
        Assert.True(Chase(769) > Chase(768) + 2000);

        static long Chase(int pages) => new GuestRunner(
            SmallRuns.Options($"pointer-chase {pages} 20000", PagingMode.Native, Fidelity.Cycles, PageSize.Size4K, GoldenCove), GuestOutput.None)
            .Run(CancellationToken.None).Measured!.Cycles!.Value;
    }

    [Fact]
    public void Run_OnceWarm_AllocatesNothing()
    {
        RunOptions options = SmallRuns.Options("gups 3000 400000", PagingMode.Nested, Fidelity.Cycles, PageSize.Size4K);
        using GuestMachine machine = GuestMachine.Build(options, GuestOutput.None, null);
        Action<uint> marker = _ => { };
        Assert.Null(machine.Run(1_500_000, marker));
        long before = GC.GetAllocatedBytesForCurrentThread();
        ExitReport? exit = machine.Run(1_700_000, marker);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Null(exit);
    }

    private static IEnumerator<ulong> Slices(int seed)
    {
        var random = new Random(seed);
        while (true)
            yield return (ulong)(random.Next(4) == 0 ? random.Next(1, 70) : random.Next(100, 20_000));
    }

    private sealed class IgnoringObserver : ITranslationObserver
    {
        public void Translated(WalkTrace trace)
        {
        }
    }
}
