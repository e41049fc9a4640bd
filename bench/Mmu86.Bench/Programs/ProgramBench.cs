using System.Globalization;
using Mmu86.Bench.Reporting;

namespace Mmu86.Bench.Programs;

/// <summary>Whole programs in every mode, round-robin in one process, so that whatever disturbs the computer disturbs all columns alike.</summary>
/// <remarks>
/// A first round, not measured, compiles what there is to compile. The order of the modes turns from round to round. A ratio is the
/// median of the ratios of the rounds, not the ratio of medians: it compares runs that were made one right after the other.
/// </remarks>
internal sealed class ProgramBench
{
    private readonly IReadOnlyList<Kernel> _kernels;
    private readonly int _rounds;
    private readonly bool _isQuick;
    private readonly Dictionary<(Kernel, ProgramMode), List<ProgramRun>> _runs = [];

    private ProgramBench(IReadOnlyList<Kernel> kernels, int rounds, bool isQuick)
    {
        _kernels = kernels;
        _rounds = rounds;
        _isQuick = isQuick;
    }

    /// <summary><c>programs [--rounds N] [--guests a,b,c] [--quick]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        bool isQuick = words.TakeFlag("--quick");
        var bench = new ProgramBench(KernelCatalogue.Find(words.TakeValue("--guests")), words.TakeNumber("--rounds", isQuick ? 1 : 7), isQuick);
        words.End();
        double load = Computer.Load;
        bench.Measure(progress);
        bench.Write(output, load);
    }

    private void Measure(TextWriter progress)
    {
        for (int round = 0; round <= _rounds; round++)
        {
            foreach (Kernel kernel in _kernels)
            {
                progress.WriteLine($"round {round} of {_rounds}: {kernel.Name}");
                for (int turn = 0; turn < ProgramMode.All.Count; turn++)
                {
                    ProgramMode mode = ProgramMode.All[(turn + round) % ProgramMode.All.Count];
                    ProgramRun run = ProgramRun.Measure(kernel, _isQuick ? kernel.QuickArguments : kernel.Arguments, mode);
                    if (round != 0)
                        _runs.GetOrAdd((kernel, mode)).Add(run);
                }
            }
        }
    }

    private void Write(TextWriter output, double load)
    {
        output.WriteLine($"{Computer.Describe()}; load {load:0.0} before, {Computer.Load:0.0} after; {_rounds} rounds{(_isQuick ? ", quick: not a measurement" : "")}");
        output.WriteLine();
        ProgramMode[] others = [.. ProgramMode.All.Where(mode => mode != ProgramMode.Fast)];
        var table = new MarkdownTable(
        [
            "kernel", "M instructions", "M REP elements",
            .. ProgramMode.All.Select(mode => $"{mode.Name}, MIPS"), .. others.Select(mode => $"{mode.Name} / fast"), "spread",
        ]);
        foreach (Kernel kernel in _kernels)
        {
            ProgramRun any = _runs[(kernel, ProgramMode.Fast)][0];
            table.Add(
            [
                $"{kernel.Name} {string.Join(' ', _isQuick ? kernel.QuickArguments : kernel.Arguments)}",
                Number(any.Instructions / 1e6, "0.0"), Number(any.RepIterations / 1e6, "0.0"),
                .. ProgramMode.All.Select(mode => Number(Mips(kernel, mode), "0")),
                .. others.Select(mode => Number(Ratio(kernel, mode), "0.00")),
                Number(ProgramMode.All.Max(mode => Samples.Spread([.. _runs[(kernel, mode)].Select(run => run.Seconds)])), "0%"),
            ]);
        }

        table.Add(
        [
            "geometric mean", "", "",
            .. ProgramMode.All.Select(mode => Number(Samples.GeometricMean(_kernels.Select(kernel => Mips(kernel, mode))), "0")),
            .. others.Select(mode => Number(Samples.GeometricMean(_kernels.Select(kernel => Ratio(kernel, mode))), "0.00")),
            "",
        ]);
        table.Write(output);
    }

    private double Mips(Kernel kernel, ProgramMode mode) => Samples.Median(_runs[(kernel, mode)].Select(run => run.Instructions / run.Seconds / 1e6));

    // How fast a mode is, compared with the fast one of the same round.
    private double Ratio(Kernel kernel, ProgramMode mode) =>
        Samples.Median(_runs[(kernel, ProgramMode.Fast)].Zip(_runs[(kernel, mode)], (fast, other) => fast.Seconds / other.Seconds));

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
