using System.Globalization;
using Mmu86.Bench.Reporting;

namespace Mmu86.Bench.GuestPaging;

/// <summary>What page faults and paging cost in host time: the same guest in Mmu86 and in QEMU, one right after the other, round after round.</summary>
/// <remarks>
/// Each price is the difference of two runs that differ in how often something happens, by the difference of the events: what comes before and after is in
/// neither. Guests must print what they ought to, every time.
/// </remarks>
internal sealed class PagingBench
{
    private const string Guest = "guest";

    private static readonly string[] Parts = [Guest, .. Enum.GetValues<HostSwapKind>().Select(PartOf)];

    private readonly IReadOnlyList<PagingStep> _steps;
    private readonly DirectoryInfo _folder;
    private readonly TextWriter _progress;
    private readonly Dictionary<(PagingStep, PagingContender), List<Price>> _prices = [];
    private int _runs;

    private PagingBench(IReadOnlyList<PagingStep> steps, DirectoryInfo folder, TextWriter progress)
    {
        _steps = steps;
        _folder = folder;
        _progress = progress;
    }

    /// <summary><c>paging --mmu86 FILE [--rounds N] [--timeout SECONDS] [--only guest,file,compressed] [--quick]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        bool isQuick = words.TakeFlag("--quick");
        string mmu86 = Path.GetFullPath(words.TakeValue("--mmu86") ?? throw new UsageException("--mmu86 FILE is missing."));
        int rounds = words.TakeNumber("--rounds", isQuick ? 1 : 5);
        var timeout = TimeSpan.FromSeconds(words.TakeNumber("--timeout", 120));
        string[] only = words.TakeValue("--only")?.Split(',') ?? Parts;
        words.End();
        if (only.FirstOrDefault(part => !Parts.Contains(part)) is { } unknown)
            throw new UsageException($"--only knows {string.Join(", ", Parts)}, and not '{unknown}'.");

        double load = Computer.Load;

        // In memory, for the disk of Mmu86's guests is in memory too; but where hosts swap, files are on a disk.
        DirectoryInfo folder = Directory.CreateDirectory($"/dev/shm/mmu86-paging-{Environment.ProcessId}");
        DirectoryInfo onDisk = Directory.CreateTempSubdirectory("mmu86-paging-");
        try
        {
            var qemu = new QemuMachine(timeout);
            var steps = new PagingSteps(new Mmu86Machine(mmu86, timeout), qemu, folder.FullName, isQuick);
            List<PagingBench> measured = [];
            List<string> missing = [];
            if (only.Contains(Guest))
            {
                var inside = new PagingBench(steps.InsideTheGuest(), folder, progress);
                inside.Measure(rounds);
                measured.Add(inside);
            }

            foreach (HostSwapKind kind in Enum.GetValues<HostSwapKind>().Where(kind => only.Contains(PartOf(kind))))
                MeasureHost(kind);
            output.WriteLine($"{Computer.Describe()}; load {load:0.0} before, {Computer.Load:0.0} after; {rounds} rounds{(isQuick ? ", quick: not a measurement" : "")}");
            output.WriteLine();
            Write(output, measured);
            foreach (string what in missing)
                output.WriteLine(what);
            if (qemu.Kills != 0)
                output.WriteLine($"\nThe memory cgroup killed QEMU {qemu.Kills} times for want of memory; these runs were made again.");

            void MeasureHost(HostSwapKind kind)
            {
                try
                {
                    using SwapArea area = kind == HostSwapKind.File
                        ? SwapArea.OnFile(Path.Combine(onDisk.FullName, "swap-area"), PagingSteps.SwapBytes)
                        : SwapArea.InMemory(PagingSteps.SwapBytes);
                    using MemoryGroup group = MemoryGroup.Create();
                    var bench = new PagingBench([steps.OfHost(kind, group)], onDisk, progress);
                    bench.Measure(rounds);
                    measured.Add(bench);
                }
                catch (Exception exception) when (exception is IOException or MeasurementException)
                {
                    // What was measured before is not lost: a system may have no swap, or its memory cgroup kills who waits for too much of it.
                    missing.Add($"\nNot measured here, {PagingSteps.NameOf(kind)}: {exception.Message.TrimEnd(' ', ':', '\n')}.");
                }
            }
        }
        finally
        {
            folder.Delete(recursive: true);
            onDisk.Delete(recursive: true);
        }
    }

    private static string PartOf(HostSwapKind kind) => kind.ToString().ToLowerInvariant();

    private void Measure(int rounds)
    {
        // Round 0 reads programs and files, and is not measured.
        for (int round = 0; round <= rounds; round++)
        {
            foreach (PagingStep step in _steps)
            {
                _progress.WriteLine($"round {round} of {rounds}: {step.Name}");
                for (int turn = 0; turn < step.Contenders.Count; turn++)
                {
                    PagingContender contender = step.Contenders[(turn + round) % step.Contenders.Count];
                    PagingRun few = Run(contender, step.Few);
                    if (round == 0)
                        continue;
                    PagingRun many = Run(contender, step.Many);
                    var price = new Price(few, many);
                    _prices.GetOrAdd((step, contender)).Add(price);
                    _progress.WriteLine($"  {contender.Name}: {Number(price.CpuMicroseconds, "0.00")} us of CPU time each, {Number(price.WallMicroseconds, "0.00")} us in all");
                }
            }
        }
    }

    private PagingRun Run(PagingContender contender, PagingGuest guest)
    {
        DirectoryInfo own = _folder.CreateSubdirectory($"run-{_runs++}");
        try
        {
            return contender.Run(guest, own.FullName);
        }
        finally
        {
            own.Delete(recursive: true);
        }
    }

    private static void Write(TextWriter output, IReadOnlyList<PagingBench> benches)
    {
        var table = new MarkdownTable("what", "in", "events", "CPU us each", "± %", "wall us each", "QEMU's CPU time by this", "QEMU's wall time by this", "whole run, wall s");
        foreach (PagingBench bench in benches)
        {
            foreach (PagingStep step in bench._steps)
                bench.Add(table, step);
        }

        table.Write(output);
    }

    // Ratios are the medians of the rounds' ratios: runs that were made one right after the other are compared.
    private void Add(MarkdownTable table, PagingStep step)
    {
        PagingContender qemu = step.Contenders[0];
        foreach (PagingContender contender in step.Contenders)
        {
            List<Price> prices = _prices[(step, contender)];
            bool isQemu = contender == qemu;
            table.Add(
                isQemu ? step.Name : "",
                contender.Name,
                Number(Samples.Median(prices.Select(price => price.Events)), "0"),
                Number(Samples.Median(prices.Select(price => price.CpuMicroseconds)), "0.00"),
                Number(100 * Samples.Spread([.. prices.Select(price => price.CpuMicroseconds)]), "0"),
                Number(Samples.Median(prices.Select(price => price.WallMicroseconds)), "0.00"),
                isQemu ? "" : Ratio(price => price.CpuMicroseconds),
                isQemu ? "" : Ratio(price => price.WallMicroseconds),
                Number(Samples.Median(prices.Select(price => price.WholeWallSeconds)), "0.00"));

            string Ratio(Func<Price, double> what) => Number(Samples.Median(_prices[(step, qemu)].Zip(prices, (theirs, ours) => what(theirs) / what(ours))), "0.00");
        }
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private readonly record struct Price(PagingRun Few, PagingRun Many)
    {
        public double Events => Many.Events - Few.Events;

        public double CpuMicroseconds => (Many.CpuSeconds - Few.CpuSeconds) * 1e6 / Events;

        public double WallMicroseconds => (Many.WallSeconds - Few.WallSeconds) * 1e6 / Events;

        public double WholeWallSeconds => Many.WallSeconds;
    }
}
