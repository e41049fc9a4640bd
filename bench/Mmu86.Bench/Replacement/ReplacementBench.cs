using System.Globalization;
using Mmu86.Bench.Reporting;
using Mmu86.Hypervisor.Replacement;
using Mmu86.TestKit.Hypervisor;

namespace Mmu86.Bench.Replacement;

/// <summary>Miss ratios of every policy next to OPT, what they ask of accessed flags, and what they cost. Only the last is a timing.</summary>
internal static class ReplacementBench
{
    private const int Frames = 1000;
    private const int TimedFrames = 1 << 16;
    private const int Seed = 5;

    /// <summary><c>replacement [--quick]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        bool isQuick = words.TakeFlag("--quick");
        words.End();
        double load = Computer.Load;
        int length = isQuick ? 30_000 : 300_000;
        SimulatedStream[] streams = SimulatedStream.All(Frames, length, Seed);
        output.WriteLine($"## Miss ratios, percent of {length} references; {Frames} frames");
        output.WriteLine();
        foreach (int perScan in (int[])[0, Frames / 4, Frames * 4])
        {
            progress.WriteLine(Pace(perScan));
            output.WriteLine($"{Pace(perScan)}:");
            output.WriteLine();
            WriteMisses(output, streams, perScan == 0 ? SimulationOptions.Unscanned(Frames) : SimulationOptions.Sampled(Frames, perScan));
        }

        WriteFlags(output, streams.First(stream => stream.Name == "zipf"));
        progress.WriteLine("costs");
        WriteCosts(output, isQuick ? 1 : 7, isQuick ? 200_000 : 1_000_000);
        output.WriteLine($"{Computer.Describe()}; load {load:0.0} before, {Computer.Load:0.0} after{(isQuick ? "; quick: not a measurement" : "")}");
    }

    private static string Pace(int perScan) => perScan == 0
        ? "No scans: flags are seen only when a victim is chosen"
        : $"All flags scanned once in {perScan} references";

    private static void WriteMisses(TextWriter output, SimulatedStream[] streams, SimulationOptions options)
    {
        var table = new MarkdownTable(["policy", .. streams.Select(stream => stream.Name), "mean of ratios to opt"]);
        double[] best = [.. streams.Select(stream => (double)Simulate("opt", options, stream.Pages).Misses)];
        foreach (PageReplacement policy in PageReplacement.All)
        {
            long[] misses = [.. streams.Select(stream => Simulate(policy.Name, options, stream.Pages).Misses)];
            table.Add(
            [
                policy.Name,
                .. misses.Select((count, at) => Number(100.0 * count / streams[at].Pages.Length)),
                Number(Samples.GeometricMean(misses.Select((count, at) => count / best[at]))),
            ]);
        }

        table.Write(output);
        output.WriteLine();
    }

    private static void WriteFlags(TextWriter output, SimulatedStream stream)
    {
        output.WriteLine($"## What a miss asks of accessed flags; stream {stream.Name}");
        output.WriteLine();
        var table = new MarkdownTable("policy", "no scans: tested", "cleared", $"a scan in {Frames * 4}: tested", "cleared");
        foreach (PageReplacement policy in PageReplacement.All)
        {
            ReplacementSimulator unscanned = Simulate(policy.Name, SimulationOptions.Unscanned(Frames), stream.Pages);
            ReplacementSimulator scanned = Simulate(policy.Name, SimulationOptions.Sampled(Frames, Frames * 4), stream.Pages);
            table.Add(
                policy.Name,
                Number((double)unscanned.FlagsTested / unscanned.Misses), Number((double)unscanned.FlagsCleared / unscanned.Misses),
                Number((double)scanned.FlagsTested / scanned.Misses), Number((double)scanned.FlagsCleared / scanned.Misses));
        }

        table.Write(output);
        output.WriteLine();
    }

    private static void WriteCosts(TextWriter output, int rounds, int faults)
    {
        output.WriteLine($"## Work for a fault: choose, remove, insert; {TimedFrames} frames resident, median of {rounds} rounds of {faults} faults");
        output.WriteLine();
        var samples = new Dictionary<PageReplacement, List<FaultCost>>();
        FaultLoad faultLoad = new(TimedFrames, Seed);
        for (int round = 0; round < rounds; round++)
        {
            foreach (PageReplacement policy in PageReplacement.All.Where(policy => !policy.NeedsFuture))
                samples.GetOrAdd(policy).Add(faultLoad.Measure(policy, faults));
        }

        var table = new MarkdownTable("policy", "ns a fault", "ns a frame scanned", "percent of a 15 us swap-in");
        foreach ((PageReplacement policy, List<FaultCost> costs) in samples)
        {
            double fault = Samples.Median(costs.Select(cost => cost.NanosecondsPerFault));
            table.Add(policy.Name, Number(fault), Number(Samples.Median(costs.Select(cost => cost.NanosecondsPerFrameScanned))), Number(fault / 150));
        }

        table.Write(output);
        output.WriteLine();
    }

    private static ReplacementSimulator Simulate(string name, SimulationOptions options, int[] pages)
    {
        var simulator = new ReplacementSimulator(PageReplacement.Find(name)!, options, pages);
        simulator.Run(pages);
        return simulator;
    }

    private static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
