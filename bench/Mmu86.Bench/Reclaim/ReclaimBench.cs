using System.Globalization;
using Mmu86.Bench.Reporting;
using Mmu86.GuestPrograms;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Scenarios;

namespace Mmu86.Bench.Reclaim;

/// <summary>Which part of a host's time its replacement policy takes while memory is short, for every policy that a running host can use.</summary>
internal static class ReclaimBench
{
    // Calm: most of what is used has a frame. Busy: the machines' working sets do not fit, one after the other. Thrashing: nothing that is taken was idle.
    private static readonly (string Name, ulong Divisor)[] s_scenarios = [("idle-tax", 1), ("six-on-four-swap", 32), ("thrashing", 1)];

    private static readonly HostWork[] s_policyWork = [HostWork.Choosing, HostWork.Books, HostWork.Scanning, HostWork.Sampling];

    /// <summary><c>reclaim [--quick] [--rounds N] [--scenarios a,b] [--policies a,b]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        bool isQuick = words.TakeFlag("--quick");
        int rounds = words.TakeNumber("--rounds", isQuick ? 1 : 5);
        string[]? scenarios = words.TakeValue("--scenarios")?.Split(',');
        string[]? names = words.TakeValue("--policies")?.Split(',');
        words.End();
        PageReplacement[] policies = [.. PageReplacement.All.Where(policy => !policy.NeedsFuture && (names is null || names.Contains(policy.Name)))];
        WorkProfile profile = new();
        double load = Computer.Load;
        foreach ((string name, ulong divisor) in s_scenarios)
        {
            if (scenarios is null || scenarios.Contains(name))
                Measure(Read(name, isQuick ? divisor * 4 : divisor), policies, rounds, profile, output, progress);
        }

        output.WriteLine($"{Computer.Describe()}; load {load:0.0} before, {Computer.Load:0.0} after{(isQuick ? "; quick: not a measurement" : "")}");
    }

    // Policies take turns, so that what else the computer does meets all of them. Nobody looks in the first round: its counts must be those of the others.
    private static void Measure(Scenario scenario, PageReplacement[] policies, int rounds, WorkProfile profile, TextWriter output, TextWriter progress)
    {
        var plain = new Dictionary<PageReplacement, SteadyState>();
        var samples = new Dictionary<PageReplacement, List<SteadyState>>();
        for (int round = 0; round <= rounds; round++)
        {
            progress.WriteLine($"{scenario.Name}, round {round} of {rounds}");
            foreach (PageReplacement policy in policies)
            {
                using var host = new OvercommittedHost(scenario with { Replacement = policy }, round == 0 ? null : profile);
                SteadyState steady = host.Run();
                if (round == 0)
                    plain.Add(policy, steady);
                else if (steady.Counts != plain[policy].Counts)
                    throw new MeasurementException($"{scenario.Name} under '{policy.Name}' counts {steady.Counts} when it is looked at, and {plain[policy].Counts} when it is not.");
                else
                    samples.GetOrAdd(policy).Add(steady);
            }
        }

        output.WriteLine($"## {scenario.Name}, {scenario.HostMemoryBytes >> 20} MiB for {scenario.Machines.Aggregate(0UL, (sum, machine) => sum + machine.Options.MemoryBytes) >> 20}, median of {rounds} rounds");
        output.WriteLine();
        var table = new MarkdownTable(
            "policy", "choosing %", "books %", "scanning %", "sampling %", "policy's work %", "swap %", "hypervisor %", "guests %",
            "ms of CPU", "virtual ms", "evictions", "ns of policy an eviction", "flags cleared");
        foreach (PageReplacement policy in policies)
            table.Add([policy.Name, .. Row(samples[policy])]);
        table.Write(output);
        output.WriteLine();
    }

    private static IEnumerable<string> Row(List<SteadyState> rounds)
    {
        foreach (HostWork work in s_policyWork)
            yield return Percent(work);
        yield return Percent(s_policyWork);
        yield return Percent(HostWork.Swap);
        yield return Percent(HostWork.Hypervisor);
        yield return Percent(HostWork.Guest);
        SteadyCounts counts = rounds[0].Counts;
        yield return Number(Samples.Median(rounds.Select(round => round.CpuSeconds * 1000)), "0");
        yield return Number(counts.VirtualNanoseconds / 1e6, "0");
        yield return counts.Evicted.ToString(CultureInfo.InvariantCulture);
        yield return Number(Samples.Median(rounds.Select(round => Part(round, s_policyWork) * round.CpuSeconds * 1e9 / counts.Evicted)), "0");
        yield return counts.FlagsCleared.ToString(CultureInfo.InvariantCulture);

        string Percent(params HostWork[] works) => Number(Samples.Median(rounds.Select(round => 100 * Part(round, works))), "0.00");
    }

    private static double Part(SteadyState state, HostWork[] works) => (double)works.Sum(work => state.Looks[(int)work]) / state.Looks.Sum();

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static Scenario Read(string name, ulong divisor) => ScenarioJson.Read(
        ScenarioCatalogue.Find(name)!,
        new ScenarioReading
        {
            Name = name,
            Folder = "",
            Machine = MachineCatalogue.Preset(MachineCatalogue.DefaultName),
            Fidelity = Fidelity.Tlb,
            ScaleFactor = 1,
            ScaleDivisor = divisor,
            HostMemoryBytes = null,
            Seed = 1,
            FindProgram = Find,
        },
        out IReadOnlyList<ConfigurationError> errors) ?? throw new MeasurementException(string.Join('\n', errors));

    private static ProgramImage? Find(string program, IReadOnlyList<string> arguments, ulong memory, out string problem)
    {
        problem = $"there is no guest '{program}'";
        return GuestCatalogue.Find(program) is not { } guest ? null
            : new ProgramImage { Name = program, Bytes = guest.Build(new GuestBuildOptions { Arguments = arguments, GuestPage = "4k", MemoryBytes = memory }), Arguments = arguments };
    }
}
