using System.Globalization;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Mmu86.Bench.Reporting;

namespace Mmu86.Bench.Parts;

/// <summary>The parts by BenchmarkDotNet: one table of all of them.</summary>
internal static class PartsBench
{
    /// <summary><c>parts [--filter GLOB] [--quick]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter log)
    {
        bool isQuick = words.TakeFlag("--quick");
        string filter = words.TakeValue("--filter") ?? "*";
        words.End();
        double load = Computer.Load;
        Summary[] summaries =
        [
            .. BenchmarkSwitcher.FromAssembly(typeof(PartsBench).Assembly)
                .Run(["--filter", filter], isQuick ? PartsConfiguration.Quick(log) : PartsConfiguration.Thorough(log)),
        ];
        if (summaries.Length == 0 || summaries.Any(summary => summary.HasCriticalValidationErrors || summary.Reports.Any(report => !report.Success)))
            throw new MeasurementException("Not every part could be measured; the log says why.");
        output.WriteLine($"{Computer.Describe()}; load {load:0.0} before, {Computer.Load:0.0} after{(isQuick ? "; quick: not a measurement" : "")}");
        output.WriteLine();
        var table = new MarkdownTable("part", "ns, median", "quartiles ±", "bytes allocated");
        foreach (BenchmarkReport report in summaries.SelectMany(summary => summary.Reports))
        {
            table.Add(
                report.BenchmarkCase.Descriptor.WorkloadMethodDisplayInfo.Trim('\''),
                Number(report.ResultStatistics!.Median),
                Number((report.ResultStatistics.Q3 - report.ResultStatistics.Q1) / 2),
                $"{report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase)}");
        }

        table.Write(output);
    }

    private static string Number(double nanoseconds) => nanoseconds.ToString(nanoseconds < 1 ? "0.0000" : "0.00", CultureInfo.InvariantCulture);
}
