using System.Globalization;
using System.Text;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Scenarios;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>Whole hosts that are kept in a file in the middle of a scenario, and go on from there.</summary>
public sealed class ScenarioSnapshotTests
{
    private static readonly string[] s_policies = [.. PageReplacement.All.Where(policy => !policy.NeedsFuture).Select(policy => policy.Name)];

    // Memory of 20 MiB; the kernels page by themselves, have a balloon and are busy in phases.
    private static readonly string[][] s_guests =
    [
        ["gups", "600", "30000"],
        ["quicksort", "40000"],
        ["tree", "4000"],
        ["pointer-chase", "700", "20000"],
        ["hash-table", "30000"],
        ["kernel-demand-paging"],
        ["memory-kernel", "random", "60%", "3000", "4", "20", "1", "40", "5"],
        ["memory-kernel", "sequential", "120%", "1500"],
        ["memory-kernel", "skewed", "70%", "6000", "3", "8", "9", "50", "10"],
        ["memory-kernel", "file", "40%", "2500", "4", "9", "2", "0", "0", "60%"],
    ];

    private static readonly string[][] s_large = [["pointer-chase", "700", "900000"], ["gups", "600", "100000"]];

    [Fact]
    public void Scenario_KeptAtRandomMoments_EndsWithTheReportOfTheStraightRun()
    {
        int cases = TestTiers.Pick(4, 8, 3000);
        var seen = new Seen();
        for (int i = 0; i < cases; i++)
        {
            Random random = TestSeed.Case(5000 + i);
            ulong limit = (ulong)random.NextInt64(300_000, TestTiers.Pick(5, 5, 60) * 1_000_000);
            string json = RandomScenario(random, i, limit);
            Fidelity fidelity = random.Next(6) switch { 0 => Fidelity.Cycles, 1 => Fidelity.Fast, _ => Fidelity.Tlb };
            string machine = random.Next(3) switch { 0 => "zen3", 1 => "golden-cove", _ => "skylake" };
            try
            {
                RequireSame(SnapshotScenarios.Read(json, machine, fidelity), random, limit, seen);
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"case {i}: {machine} {fidelity} {json}", exception);
            }
        }

        Assert.True(seen.Cut > cases / 2 && seen.Swapped > 0 && seen.Shared > 0, $"{seen}");
    }

    private static void RequireSame(Scenario scenario, Random random, ulong limit, Seen seen)
    {
        using var folder = new SnapshotFolder();
        ulong first = (ulong)random.NextInt64((long)limit), second = first + (ulong)random.NextInt64((long)(limit - first));
        var cut = new ScenarioRunner(scenario) { Threads = random.Next(1, 4), Snapshot = new ScenarioSnapshotRequest(first, folder.File("one")) };
        VmsReport report = cut.Run(CancellationToken.None);
        if (!cut.IsSnapshotTaken)
            return;
        string expected = SnapshotScenarios.Text(report);
        seen.Cut++;
        seen.Swapped += report.Machines.Sum(machine => (long)machine.SwapOutBytes);
        seen.Shared += report.Machines.Sum(machine => (long)machine.Peak.SharedFrames);
        seen.Ballooned += report.Machines.Sum(machine => (long)machine.Peak.BalloonedFrames);
        if (random.Next(4) == 0)
            Assert.Equal(expected, SnapshotScenarios.Text(new ScenarioRunner(scenario) { Threads = 2 }.Run(CancellationToken.None)));

        // Once more behind that, from there.
        bool isCutTwice = random.Next(3) == 0;
        var restored = new ScenarioRunner(scenario)
        {
            Threads = random.Next(1, 4),
            AuditsIsolation = random.Next(2) == 0,
            RestoredFrom = folder.File("one"),
            Snapshot = isCutTwice ? new ScenarioSnapshotRequest(second, folder.File("two")) : null,
        };
        Assert.Equal(expected, SnapshotScenarios.Text(restored.Run(CancellationToken.None)));
        if (restored.IsSnapshotTaken)
            Assert.Equal(expected, SnapshotScenarios.Text(new ScenarioRunner(scenario) { AuditsIsolation = true, RestoredFrom = folder.File("two") }.Run(CancellationToken.None)));
    }

    private static string RandomScenario(Random random, int number, ulong limit)
    {
        var text = new StringBuilder("{ \"schema\": \"mmu86.scenario/1\", ");

        // Every other host is too small for its first two machines.
        bool isScarce = number % 2 == 0;
        text.Append(CultureInfo.InvariantCulture, $"\"hostMemory\": \"{(isScarce ? random.Next(3, 5) : random.Next(5, 18))}M\", ");
        string pool = random.Next(3) == 0 ? $", \"compressedPool\": \"{random.Next(1, 3)}M\"" : "";
        string device = random.Next(4) switch { 0 => "ssd", 1 => "hdd", _ => "nvme" };
        text.Append(CultureInfo.InvariantCulture, $"\"swap\": {{ \"size\": \"{random.Next(60, 200)}M\", \"device\": \"{device}\"{pool} }}, ");
        bool byShares = random.Next(2) == 0;
        text.Append(CultureInfo.InvariantCulture, $"\"policy\": {{ \"replacement\": \"{s_policies[number % s_policies.Length]}\", \"reclaim\": \"{(byShares ? "shares" : "largest")}\"");
        if (byShares && random.Next(2) == 0)
            text.Append(CultureInfo.InvariantCulture, $", \"idleTaxPercent\": {random.Next(1, 100)}, \"samplePeriod\": {random.Next(1, 9)}000000");
        if (number % 4 < 2)
            text.Append(CultureInfo.InvariantCulture, $", \"sharing\": true, \"sharingPagesPerSecond\": {random.Next(200, 4000)}000");
        if (random.Next(2) == 0)
            text.Append(", \"balloon\": true");
        text.Append(" }, ");
        text.Append(CultureInfo.InvariantCulture, $"\"limits\": {{ \"time\": {limit} }}, ");
        text.Append("\"machines\": [ ");
        int machines = isScarce ? random.Next(2, 5) : random.Next(1, 5);
        for (int i = 0; i < machines; i++)
        {
            string[] guest = isScarce && i < 2 ? s_large[i] : s_guests[random.Next(s_guests.Length)];
            string arguments = string.Join(", ", guest.Skip(1).Select(word => $"\"{word}\""));
            text.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : ", ")}{{ \"name\": \"vm{i}\", \"program\": \"{guest[0]}\", \"args\": [{arguments}], \"memory\": \"20M\"");
            text.Append(CultureInfo.InvariantCulture, $", \"shares\": {random.Next(1, 2000)}, \"count\": {random.Next(1, 3)}");
            if (random.Next(3) == 0)
                text.Append(CultureInfo.InvariantCulture, $", \"min\": \"{random.Next(16, 64) * 4}K\", \"max\": \"{random.Next(3, 16)}M\"");
            if (random.Next(3) == 0 && !(isScarce && i < 2))
                text.Append(CultureInfo.InvariantCulture, $", \"startAt\": {random.Next(1, 30)}00000");
            text.Append(" }");
        }

        return text.Append(" ] }").ToString();
    }

    private sealed record Seen
    {
        public int Cut { get; set; }

        public long Swapped { get; set; }

        public long Shared { get; set; }

        public long Ballooned { get; set; }
    }
}
