using System.Globalization;
using System.Text;
using Mmu86.Bench.Programs;
using Mmu86.Bench.Reporting;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.X86;

namespace Mmu86.Bench.Nested;

/// <summary>What nested walks cost, step by step, over several guests: the shape of Bhargava et al., ASPLOS 2008.</summary>
internal static class NestedBench
{
    private static readonly string[][] s_guests =
    [
        ["line-chase", "65536", "200000"],
        ["gups", "65536", "200000"],
        ["stride", "65536", "4"],
        ["hash-table", "2000000"],
        ["tree", "1000000"],
    ];

    /// <summary><c>nested [--machine NAME]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        string name = words.TakeValue("--machine") ?? MachineCatalogue.DefaultName;
        words.End();
        if (!MachineCatalogue.Names.Contains(name))
            throw new UsageException($"There is no machine '{name}'; there are {string.Join(", ", MachineCatalogue.Names)}.");

        var references = new MarkdownTable(["references a walk", .. NestedStep.Ladder.Select(step => step.Name)]);
        var cycles = new MarkdownTable(["cycles, of those without caches", .. NestedStep.Ladder.Select(step => step.Name), "native"]);
        foreach (string[] guest in s_guests)
        {
            progress.WriteLine(string.Join(' ', guest));
            RunCounts[] runs = [.. NestedStep.Ladder.Select(step => Measure(
                guest, MachineCatalogue.Find(name, step.Overrides), PagingMode.Nested, step.HasLargeHostPages ? PageSize.Size2M : PageSize.Size4K))];
            RunCounts native = Measure(guest, MachineCatalogue.Preset(name), PagingMode.Native, PageSize.Size4K);
            references.Add([string.Join(' ', guest), .. runs.Select(run => Number((double)run.Walks!.References / run.Walks.Count, "0.00"))]);
            cycles.Add([string.Join(' ', guest), .. runs.Append(native).Select(run => Number((double)run.Cycles!.Value / runs[0].Cycles!.Value, "0.0%"))]);
        }

        output.WriteLine($"Machine {name}, fidelity cycles, guest pages of 4 KiB, between the markers. The same on every computer.");
        output.WriteLine();
        references.Write(output);
        output.WriteLine();
        cycles.Write(output);
    }

    private static RunCounts Measure(string[] words, MachineDescription machine, PagingMode paging, PageSize hostPage)
    {
        GuestProgram guest = GuestCatalogue.Find(words[0])!;
        var build = new GuestBuildOptions { Arguments = words[1..] };
        using var standard = new MemoryStream();
        RunReport report = new GuestRunner(
            new RunOptions
            {
                Program = new ProgramImage { Name = words[0], Bytes = guest.Build(build), Arguments = words[1..] },
                Machine = machine,
                Paging = paging,
                GuestPage = PageSize.Size4K,
                HostPage = hostPage,
                Fidelity = Fidelity.Cycles,
                MemoryBytes = KernelCatalogue.MemoryBytes,
                Seed = 1,
            },
            new GuestOutput(standard, Stream.Null, Stream.Null)).Run(CancellationToken.None);
        string output = Encoding.ASCII.GetString(standard.ToArray());
        return report.Exit is { Kind: ExitKind.Exited, Status: 0 } && output == guest.ExpectedOutput(build)
            ? report.Measured!
            : throw new MeasurementException($"{words[0]} ended as {report.Exit} and printed '{output}'.");
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
