using Mmu86.GuestPrograms;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Scenarios;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>The bundled scenarios of a host that is too small, scaled down: every output is that of a host with enough, and each shows what its page says.</summary>
[LongTests]
public sealed class BundledScenarioTests(BundledScenarioTests.Reports reports) : IClassFixture<BundledScenarioTests.Reports>
{
    private const ulong Enough = 1UL << 30;

    // How much smaller than in full size.
    private static readonly ulong s_sixOnFour = (ulong)TestTiers.Pick(256, 64, 64);

    public static TheoryData<string, ulong> Scaled => new()
    {
        { "six-on-four", s_sixOnFour },
        { "six-on-four-swap", s_sixOnFour },
        { "six-on-four-balloon", s_sixOnFour },
        { "six-on-four-sharing", s_sixOnFour },
        { "thrashing", 4 },
        { "double-paging", 2 },
    };

    [Theory]
    [MemberData(nameof(Scaled))]
    public void Run_Scaled_PrintsWhatAHostWithEnoughPrints(string name, ulong divisor)
    {
        VmsReport enough = Run(name, Enough, divisor);

        VmsReport scarce = Run(name, null, divisor);

        Assert.Equal(Outputs(enough), Outputs(scarce));
        Assert.All(scarce.Machines, machine => Assert.Equal((ExitKind.Exited, 1), (machine.Exit!.Kind, machine.Exit.Status)));
        Assert.Equal((0UL, 0UL), (scarce.FramesOwnedAtEnd, enough.FramesOwnedAtEnd));
        Assert.True(scarce.PeakFramesUsed < enough.PeakFramesUsed);
    }

    [Fact]
    public void Run_SixOnFour_EachMeansAloneIsTheOnlyOneUsed()
    {
        VmsReport swap = Run("six-on-four-swap", null, s_sixOnFour);
        VmsReport balloon = Run("six-on-four-balloon", null, s_sixOnFour);
        VmsReport sharing = Run("six-on-four-sharing", null, s_sixOnFour);

        Assert.Equal((true, false, false), Means(swap));
        Assert.Equal((false, true, false), Means(balloon));
        Assert.Equal((false, false, true), Means(sharing));
        Assert.Equal(Outputs(swap), Outputs(balloon));
        Assert.Equal(Outputs(swap), Outputs(sharing));

        static (bool Swap, bool Balloon, bool Sharing) Means(VmsReport report) => (
            report.Machines.Any(machine => machine.SwapOutBytes > 0),
            report.Machines.Any(machine => machine.Peak.BalloonedFrames > 0),
            report.Machines.Any(machine => machine.Peak.SharedFrames > 0));
    }

    [SkippableFact]
    public void Run_UnderPressure_UsesEveryMeansPassesThroughItsStatesAndPrintsWhatAHostWithEnoughPrints()
    {
        TestTiers.Require(TestTier.Ci);
        VmsReport enough = Run("under-pressure", Enough, 4);

        VmsReport scarce = Run("under-pressure", null, 4);

        Assert.Equal(Outputs(enough), Outputs(scarce));
        Assert.All(scarce.Machines, machine => Assert.True(machine.Peak.SharedFrames > 0 && machine.Peak.BalloonedFrames > 0 && machine.SwapOutBytes > 0, machine.Name));
        Assert.Equal(["hard", "high", "soft"], scarce.Timeline.Select(moment => moment.State).Distinct().Order());
        Assert.Equal(["high"], enough.Timeline.Select(moment => moment.State).Distinct());
    }

    [Fact]
    public void Run_IdleTax_GivesTheBusyMachineWhatTheIdleOneDoesNotUse()
    {
        VmsReport untaxed = Run("idle-tax-none", null, 2);
        VmsReport taxed = Run("idle-tax", null, 2);

        Assert.Equal(Outputs(untaxed), Outputs(taxed));
        Assert.True(taxed.Machines[1].EndedAt * 13 < untaxed.Machines[1].EndedAt * 10, $"{untaxed.Machines[1].EndedAt} became {taxed.Machines[1].EndedAt}");
        Assert.True(taxed.Machines[1].SwapInBytes < untaxed.Machines[1].SwapInBytes);
    }

    [SkippableFact]
    public void Run_Shrinking_BalloonIsFlatWhileThereIsCacheAndSwapFallsFromTheStart()
    {
        TestTiers.Require(TestTier.Ci);
        VmsReport balloon = Run("shrinking-balloon", null, 1);
        VmsReport swap = Run("shrinking-swap", null, 1);

        Assert.Single(Outputs(balloon).Concat(Outputs(swap)).Distinct());
        Assert.All(balloon.Machines, machine => Assert.Equal(0UL, machine.SwapOutBytes));

        // At 80 percent the guest's cache still has what it reads.
        Assert.InRange(balloon.Machines[1].EndedAt, balloon.Machines[0].EndedAt, balloon.Machines[0].EndedAt * 102 / 100);
        Assert.True(swap.Machines[1].EndedAt > swap.Machines[0].EndedAt * 11 / 10);
        for (int i = 1; i < balloon.Machines.Count; i++)
        {
            Assert.True(swap.Machines[i].EndedAt > swap.Machines[i - 1].EndedAt);
            Assert.True(balloon.Machines[i].EndedAt < swap.Machines[i].EndedAt);
        }
    }

    [Fact]
    public void Run_Thrashing_IsDetectedAndOnlyThen()
    {
        VmsReport scarce = Run("thrashing", null, 4);
        VmsReport enough = Run("thrashing", Enough, 4);

        Assert.All(scarce.Machines, (_, index) => Assert.True(
            scarce.Timeline.Count(moment => moment.Machines[index].Thrashing) > scarce.Timeline.Count / 2, $"machine {index}"));
        Assert.DoesNotContain(enough.Timeline, moment => moment.Machines.Any(machine => machine.Thrashing));
    }

    private static string[] Outputs(VmsReport report) => [.. report.Machines.Select(machine => machine.OutputSha256)];

    private VmsReport Run(string name, ulong? hostMemory, ulong divisor) => reports.Of(name, hostMemory, divisor);

    /// <summary>Runs each scenario once, whatever is asked of its report.</summary>
    public sealed class Reports
    {
        private readonly Dictionary<(string Name, ulong? HostMemory, ulong Divisor), VmsReport> _reports = [];

        internal VmsReport Of(string name, ulong? hostMemory, ulong divisor)
        {
            if (!_reports.TryGetValue((name, hostMemory, divisor), out VmsReport? report))
            {
                Scenario scenario = ScenarioTests.Read(ScenarioCatalogue.Find(name)!, hostMemory, out _, divisor)!;
                report = new ScenarioRunner(scenario) { Threads = 2 }.Run(CancellationToken.None);
                _reports.Add((name, hostMemory, divisor), report);
            }

            return report;
        }
    }
}
