using System.Text.Json;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Recorded;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps.Recorded;

/// <summary><c>run --classify</c>: every miss that ended in a translation has one class, and nothing else changes.</summary>
public sealed class MissClassesTests
{
    [Theory]
    [InlineData("gups 400 4000", "skylake", PagingMode.Native)]
    [InlineData("gups 400 4000", "skylake", PagingMode.Nested)]
    [InlineData("hash-table 2000", "ice-lake", PagingMode.Native)]
    [InlineData("hash-table 2000", "zen3", PagingMode.Nested)]
    [InlineData("strings 2", "skylake", PagingMode.Native)]
    [InlineData("kernel-two-processes", "nehalem", PagingMode.Native)]
    [InlineData("kernel-demand-paging", "skylake", PagingMode.Nested)]
    public void Classify_AnyGuest_ClassesEveryMissAndCountsAsWithout(string guest, string machine, PagingMode paging)
    {
        RunOptions options = Options(guest, machine, paging);
        RunReport plain = new GuestRunner(options, GuestOutput.None).Run(CancellationToken.None);

        RunReport classified = Classify(options);

        LookupCounts data = classified.Tlb!.L1d!;
        Assert.Equal(data.Misses - data.Unresolved, classified.MissClasses!.Total);
        Assert.Equal(Text(plain), Text(classified with { MissClasses = null }));
    }

    [Fact]
    public void Classify_ChaseThroughMorePagesThanEntries_MissesForCapacity()
    {
        // 300 pages in turn go through 64 entries: an LRU array of that size never hits.
        MissClassCounts classes = Classify(Options("pointer-chase 300 6000", "skylake", PagingMode.Native)).MissClasses!;

        Assert.InRange(classes.Compulsory, 300, 310);
        Assert.InRange(classes.Capacity, 6_000, 7_000);
        Assert.InRange(classes.Conflict, 0, 100);
        Assert.Equal(0, classes.Invalidation);
    }

    [Fact]
    public void Classify_MachineWithoutTlb_TellsNoClasses() =>
        Assert.Null(Classify(Options("hello", "uncached", PagingMode.Native)).MissClasses);

    private static RunOptions Options(string guest, string machine, PagingMode paging) =>
        SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size4K) with { Machine = MachineCatalogue.Preset(machine) };

    private static RunReport Classify(RunOptions options)
    {
        using var recorder = new RunRecorder(options, new RunRecorderOptions { Classifies = true });
        return recorder.Complete(new GuestRunner(options, GuestOutput.None) { Recording = recorder.Recording }.Run(CancellationToken.None));
    }

    // Every number but what varies from run to run.
    private static string Text(RunReport report) => JsonSerializer.Serialize(report with { Host = null });
}
