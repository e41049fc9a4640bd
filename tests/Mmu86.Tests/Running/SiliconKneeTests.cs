using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running;

/// <summary>Curves of guests on the presets have their knees where curves measured on silicon have them.</summary>
public sealed class SiliconKneeTests
{
    private const int Steps = 20_000;

    // Golden Cove: 5 cycles up to 96 pages, 12 (second-level TLB), 23 beyond 768 (first-level cache). Zen 5: 4, then 11. Gracemont: knees at 48 and 2048.
    [Theory]
    [InlineData("golden-cove", 8, 5)]
    [InlineData("golden-cove", 96, 5)]
    [InlineData("golden-cove", 112, 12)]
    [InlineData("golden-cove", 768, 12)]
    [InlineData("golden-cove", 1024, 23)]
    [InlineData("zen5", 96, 4)]
    [InlineData("zen5", 97, 11)]
    [InlineData("zen5", 768, 11)]
    [InlineData("gracemont", 48, 3)]
    [InlineData("gracemont", 49, 12)]
    public void LineChase_OverAsManyPages_TakesSoManyCycles(string machine, int pages, int cycles) =>
        Assert.InRange(Chase(machine, pages), cycles - 0.25, cycles + 0.25);

    [Theory]
    [InlineData("golden-cove", 96)]
    [InlineData("golden-cove", 768)]
    [InlineData("zen5", 96)]
    [InlineData("gracemont", 48)]
    public void LineChase_OnePageBeyondAKnee_IsSlower(string machine, int pages)
    {
        double before = Chase(machine, pages - 1);
        Assert.InRange(Chase(machine, pages), before - 0.02, before + 0.02);
        Assert.True(Chase(machine, pages + 1) > before + 0.1);
    }

    // The instruction TLB: Golden Cove 256 pages, and at strides of 8, 16, 32 and more pages 32, 16, 8. Zen 5: 64, then 2048.
    [Theory]
    [InlineData("golden-cove", 1, 256)]
    [InlineData("golden-cove", 8, 32)]
    [InlineData("golden-cove", 16, 16)]
    [InlineData("golden-cove", 32, 8)]
    [InlineData("golden-cove", 64, 8)]
    [InlineData("zen5", 1, 64)]
    [InlineData("zen5", 1, 2048)]
    public void JumpChain_OnePageBeyondAKnee_IsSlower(string machine, int stride, int pages)
    {
        double before = Chain(machine, pages - 1, stride);
        Assert.InRange(Chain(machine, pages, stride), before - 0.05, before + 0.05);
        Assert.True(Chain(machine, pages + (pages / 8), stride) > before + 0.5);
    }

    // Without caches, with the guest's, with EPT's too, with the nested TLB, with large host pages: each step helps, the first most.
    [SkippableTheory]
    [InlineData("line-chase 4096 20000")]
    [InlineData("gups 4096 20000")]
    [InlineData("stride 4096 4")]
    [InlineData("hash-table 300000")]
    public void NestedWalks_WithEachHelp_ReadFewerEntries(string guest)
    {
        // Takes five times as long as the other three together.
        TestTiers.Require(guest == "hash-table 300000" ? TestTier.Ci : TestTier.Default);
        string[] guestCaches = Without("pml4e", "pdpte", "pde");
        string[] hostCaches = Without("eptPml4e", "eptPdpte", "eptPde");
        string[] nestedTlb = Without("nestedTlb");
        double[] references =
        [
            References(guest, PageSize.Size4K, [.. guestCaches, .. hostCaches, .. nestedTlb]),
            References(guest, PageSize.Size4K, [.. hostCaches, .. nestedTlb]),
            References(guest, PageSize.Size4K, nestedTlb),
            References(guest, PageSize.Size4K, []),
            References(guest, PageSize.Size2M, []),
        ];

        Assert.Equal(24, references[0], 6);
        double[] steps = [.. references.Zip(references.Skip(1), (before, after) => before - after)];
        Assert.All(steps, step => Assert.True(step >= 0, string.Join(' ', references)));
        Assert.Equal(steps.Max(), steps[0]);
        Assert.True(references[^1] < references[1] / 2);
    }

    private static string[] Without(params string[] caches) =>
        [.. caches.Select(cache => $"mmu.structureCaches.{cache}={{\"entries\":0,\"ways\":0,\"replacement\":\"lru\"}}")];

    private static double Chase(string machine, int pages) => Measure($"line-chase {pages} {Steps}", machine).Cycles!.Value / (double)Steps;

    private static double Chain(string machine, int pages, int stride)
    {
        int rounds = Math.Max(8, Steps / pages);
        return Measure($"jump-chain {pages} {stride} {rounds}", machine).Cycles!.Value / (double)(pages * rounds);
    }

    private static RunCounts Measure(string guest, string machine) =>
        Run(SmallRuns.Options(guest, PagingMode.Native, Fidelity.Cycles, PageSize.Size4K) with { Machine = MachineCatalogue.Preset(machine) });

    private static double References(string guest, PageSize hostPage, string[] overrides)
    {
        RunOptions options = SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K, overrides);
        WalkCounts walks = Run(options with { HostPage = hostPage }).Walks!;
        return (double)walks.References / walks.Count;
    }

    private static RunCounts Run(RunOptions options)
    {
        RunReport report = new GuestRunner(options, GuestOutput.None).Run(CancellationToken.None);
        Assert.Equal((ExitKind.Exited, 0), (report.Exit.Kind, report.Exit.Status));
        return report.Measured!;
    }
}
