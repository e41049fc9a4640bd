using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Pages;
using Mmu86.X86;

namespace Mmu86.Bench.Curves;

/// <summary>The curves of every preset: <c>line-chase</c> with small and large pages, and <c>jump-chain</c> at several strides.</summary>
internal static class CurveBench
{
    // These two are no silicon.
    private static readonly string[] s_ideals = ["ideal", "uncached"];

    /// <summary><c>curves [--machines a,b,c] [--html FILE] [--quick]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        IReadOnlyList<int> pages = words.TakeFlag("--quick") ? CurvePoints.QuickPages : CurvePoints.Pages;
        string[] names = words.TakeValue("--machines")?.Split(',') ?? [.. MachineCatalogue.Names.Except(s_ideals)];
        string? html = words.TakeValue("--html");
        words.End();
        if (names.FirstOrDefault(name => !MachineCatalogue.Names.Contains(name)) is { } unknown)
            throw new UsageException($"There is no machine '{unknown}'; there are {string.Join(", ", MachineCatalogue.Names)}.");

        MachineDescription[] machines = [.. names.Select(MachineCatalogue.Preset)];
        List<(CurveTable Table, string Text)> tables =
        [
            (Make("line-chase, pages of 4 KiB", machines, pages, progress, (machine, count) => EmulatedCurve.Chase(machine, count, PageSize.Size4K, PagingMode.Native)),
                "One line in each page, in a random cycle; every load waits for the last."),
            (Make("line-chase, pages of 2 MiB", machines, pages, progress, (machine, count) => EmulatedCurve.Chase(machine, count, PageSize.Size2M, PagingMode.Native)),
                "The same with large pages."),
        ];
        foreach (int stride in CurvePoints.Strides)
        {
            CurveTable table = Make($"jump-chain, stride {stride}", machines, pages, progress, (machine, count) =>
                stride == 1 || count <= CurvePoints.LongestStriddenChain ? EmulatedCurve.Chain(machine, count, stride, PagingMode.Native) : null);
            tables.Add((table, $"One jump in each page of 4 KiB, pages {stride} apart, in order."));
        }

        output.WriteLine("Cycles a step in the fidelity cycles; columns are numbers of pages. The same on every computer.");
        output.WriteLine();
        foreach ((CurveTable table, _) in tables)
            table.Write(output);
        if (html is not null)
        {
            File.WriteAllText(html, PageWriter.Write(new Page
            {
                Title = "Curves of the presets",
                Facts = [new PageFact("Fidelity", "cycles"), new PageFact("Paging", "native")],
                Sections = [.. tables.Select(table => table.Table.ToSection(table.Text))],
            }));
        }
    }

    private static CurveTable Make(
        string title, MachineDescription[] machines, IReadOnlyList<int> pages, TextWriter progress, Func<MachineDescription, int, double?> measure)
    {
        var table = new CurveTable(title, "cycles a step", pages);
        foreach (MachineDescription machine in machines)
        {
            progress.WriteLine($"{title}: {machine.Name}");
            table.Add(machine.Name, [.. pages.Select(count => measure(machine, count))]);
        }

        return table;
    }
}
