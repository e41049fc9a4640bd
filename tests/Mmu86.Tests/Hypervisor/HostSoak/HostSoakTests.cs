using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Swap;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;
using Xunit.Abstractions;

namespace Mmu86.Tests.Hypervisor.HostSoak;

/// <summary>Random hosts whose machines run, on swap devices that fail: books, isolation, results.</summary>
public sealed class HostSoakTests(ITestOutputHelper log)
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(2);

    [Fact]
    public void Hosts_RandomMachinesPoliciesAndFaults_KeepTheirBooksAndEveryByte()
    {
        Seen seen = Soak(TestTiers.Pick(6, 30, 5_000), number => HostCase.Draw(number, TestSeed.Case(number)));

        Assert.True(TestTiers.Current == TestTier.Default || seen is { SwappedIn: > 1000, Merged: > 100, Ballooned: > 0, Checks: > 100 }, $"too little happened: {seen}");
    }

    // Pages come and go all the time, balloons shrink where a neighbour ends, and damaged pages are asked for.
    [Fact]
    public void Hosts_UnderPressure_KeepTheirBooksAndEveryByte()
    {
        Seen seen = Soak(TestTiers.Pick(2, 6, 1_000), number => HostCase.DrawUnderPressure(number, TestSeed.Case(number)));

        Assert.True(TestTiers.Current == TestTier.Default || seen is { SwappedIn: > 1000, Ballooned: > 1000, Deflated: > 100, Lost: > 0, Checks: > 50 }, $"too little happened: {seen}");
    }

    [Fact]
    public void Hosts_PagesThatComeBackInNoTime_DoNotKeepAQuantumFromItsEnd()
    {
        // Swap is full, so that each page which comes back sends another away, and the next instruction needs that one.
        string guest = "memory-kernel random 628 806 0 2 1 18 8";
        ulong[] starts = [0, 2_133_217, 0, 1_152_496, 1_371_142];
        ulong[] most = [ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 489, 315];
        var what = new HostCase
        {
            Number = 903,
            Preset = "zen1",
            HostPage = PageSize.Size2M,
            HostBytes = 665 << 12,
            PartPercent = 0,
            FramesLeft = 0,
            Machines = [.. starts.Select((start, index) => new HostCaseMachine(guest, 10 << 20, 1000, index == 0 ? 30UL : 0, most[index], start))],
            Replacement = "lru",
            Order = ReclaimOrder.Largest,
            IdleTaxPercent = 0,
            SamplePeriodNanoseconds = null,
            SharingPagesPerSecond = 3_356_454,
            UsesBalloons = true,
            QuantumNanoseconds = 400_000,
            SwapPages = 59,
            File = null,
            Device = "ssd",
            Swap = SwapSpaceOptions.Standard with { ClusterPages = 16, ClustersUnderWay = 4 },
            Faults = new HostCaseFaults(0, 0, 0, 0),
            MostQuanta = 80,
        };

        HostCaseResult result = Guard(what, () => HostCaseRun.Run(what, threads: 1, checks: true));

        MachineResult alone = HostCaseRun.RunAlone(what, what.Machines[0]);
        Assert.Contains(result.Machines, IsLimit);
        Assert.All(result.Machines, machine => Judge(what, machine, alone));
    }

    private Seen Soak(int cases, Func<int, HostCase> draw)
    {
        Dictionary<string, MachineResult> alone = [];
        var seen = new Seen(0, 0, 0, 0, 0, 0, 0);
        for (int number = 0; number < cases; number++)
        {
            HostCase drawn = draw(number);
            MachineResult[] apart = Guard(drawn, () => drawn.Machines.Select(machine => Alone(alone, drawn, machine)).ToArray());
            HostCase what = drawn.Sized(apart.Aggregate(0UL, (sum, machine) => sum + machine.Frames));
            HostCaseResult one = Guard(what, () => HostCaseRun.Run(what, threads: 1, checks: true));
            HostCaseResult two = Guard(what, () => HostCaseRun.Run(what, threads: 2, checks: false));
            Guard(what, () =>
            {
                Assert.Equal(one.Log, two.Log);
                Assert.Equal(one.Machines, two.Machines);
                for (int i = 0; i < what.Machines.Count; i++)
                    Judge(what, one.Machines[i], apart[i]);
                return true;
            });
            seen = new Seen(seen.SwappedIn + one.SwappedIn, seen.Merged + one.Merged, seen.Ballooned + one.Ballooned, seen.Deflated + one.Deflated, seen.Checks + one.Checks,
                seen.Lost + one.Machines.Count(machine => IsLoss(machine)), seen.Unfinished + one.Machines.Count(machine => IsLimit(machine)));
        }

        log.WriteLine($"seed {TestSeed.Base}: {cases} cases, {seen}");
        return seen;
    }

    private static void Judge(HostCase what, MachineResult machine, MachineResult alone)
    {
        if (IsLoss(machine))
        {
            // A write that fails loses nothing.
            Assert.True(machine.Losses > 0 && what.Faults is not { ReadsOneIn: 0, PagesOneIn: 0 }, $"a page is said to be lost, and the device gave all back: {machine.Exit}");
            Assert.StartsWith(machine.Output, alone.Output, StringComparison.Ordinal);
        }
        else if (IsLimit(machine))
        {
            Assert.False(what.IsRoomy, machine.Exit);
            Assert.StartsWith(machine.Output, alone.Output, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal((alone.Exit, alone.Output), (machine.Exit, machine.Output));
        }
    }

    private static bool IsLoss(MachineResult machine) => machine.Exit.StartsWith("Fault 71 machine check: the page at G:", StringComparison.Ordinal);

    private static bool IsLimit(MachineResult machine) =>
        machine.Exit.StartsWith("Limit 75 ", StringComparison.Ordinal) || machine.Exit.StartsWith("never started: the host has no frame", StringComparison.Ordinal);

    private static MachineResult Alone(Dictionary<string, MachineResult> known, HostCase what, HostCaseMachine machine)
    {
        string key = $"{what.Preset} {machine.Guest} {machine.MemoryBytes}";
        if (!known.TryGetValue(key, out MachineResult? result))
            known.Add(key, result = HostCaseRun.RunAlone(what, machine));
        return result;
    }

    // Whatever goes wrong says which case it was; what never ends does too.
    private static T Guard<T>(HostCase what, Func<T> step)
    {
        Task<T> running = Task.Run(step);
        try
        {
            Assert.True(running.Wait(s_longest), "it does not end");
            return running.Result;
        }
        catch (Exception exception)
        {
            throw new Xunit.Sdk.XunitException($"seed {TestSeed.Base}, {what}\n{(exception as AggregateException)?.InnerException ?? exception}");
        }
    }

    private sealed record Seen(ulong SwappedIn, ulong Merged, ulong Ballooned, ulong Deflated, int Checks, int Lost, int Unfinished);
}
