using System.Globalization;
using Mmu86.Lab.Pages;
using Mmu86.Lab.Reports;
using static Mmu86.Lab.Scenarios.VmsWords;

namespace Mmu86.Lab.Scenarios;

/// <summary>What a scenario did as one self-contained page: its time line as charts, and what became of each machine.</summary>
public static class VmsPage
{
    private const int MostAnswersOfMachines = 5;

    /// <summary>The page as HTML. The same report gives the same bytes but for what the run cost the computer, which is not on it.</summary>
    public static string Write(VmsReport report) => PageWriter.Write(new Page
    {
        Title = $"{Printable(report.Scenario)}: {Number((ulong)report.Machines.Count)} virtual machines on {Size(report.HostMemory)}",
        Facts = Facts(report),
        Cautions = report.FramesOwnedAtEnd == 0 ? [] : [$"{Number(report.FramesOwnedAtEnd)} frames were still owned when every machine was gone."],
        Answers = Answers(report),
        Sections = [.. VmsCharts.Sections(report), Machines(report), .. report.Migrations is { } migrations ? [Migrations(migrations)] : Array.Empty<PageSection>()],
    });

    private static PageFact[] Facts(VmsReport report) =>
    [
        new("Scenario", Printable(report.Scenario)),
        new("Machine", Printable(report.Machine)),
        new("Memory of the host", Size(report.HostMemory)),
        new("Promised to machines", Size(report.Promised)),
        new("Used at most", Size(report.PeakFramesUsed << 12)),
        new("Virtual time", $"{Milliseconds(report.Time)} ms"),
        new("Seed", report.Seed.ToString(CultureInfo.InvariantCulture)),
        new("Version", report.Version),
    ];

    private static IReadOnlyList<string> Answers(VmsReport report)
    {
        ulong swappedIn = report.Machines.Aggregate(0UL, (sum, machine) => sum + machine.SwapInBytes);
        ulong swappedOut = report.Machines.Aggregate(0UL, (sum, machine) => sum + machine.SwapOutBytes);
        VmsMachineReport[] failed = [.. report.Machines.Where(machine => machine.Exit is not { IsSuccess: true })];
        List<string> answers =
        [
            $"{Size(report.Promised)} were promised on a host of {Size(report.HostMemory)}, {Brief(report.Promised / (double)report.HostMemory)} times what there is; "
                + $"at most {Size(report.PeakFramesUsed << 12)} were in use.",
            swappedIn + swappedOut == 0 ? "Nothing was swapped." : $"{Size(swappedOut)} went to swap and {Size(swappedIn)} came back.",
            failed.Length == 0 ? "Every machine ended well." : $"{Number((ulong)failed.Length)} of {Number((ulong)report.Machines.Count)} machines did not end well.",
        ];
        answers.AddRange(failed.Take(MostAnswersOfMachines).Select(machine => $"{Printable(machine.Name)}: {Printable(machine.Exit?.Detail ?? End(machine))}."));
        return answers;
    }

    private static PageSection Migrations(IReadOnlyList<VmsMigration> migrations)
    {
        DataTable[] tables =
        [
            .. migrations.Select(migration => new DataTable(
                $"{Printable(migration.Machine)}: {Told(migration)}",
                [.. new[] { "round", "pages", "zero pages", "sent", "ms", "written meanwhile" }.Select(name => new DataColumn(name, DataColumnKind.Number))],
                [
                    .. migration.Rounds.Select((round, index) => (IReadOnlyList<string>)
                    [
                        Number((ulong)index + 1), Number(round.Pages), Number(round.ZeroPages), Size(round.Bytes), Milliseconds(round.Nanoseconds), Number(round.Dirtied),
                    ]),
                ])),
        ];
        return new PageSection("Machines that moved to another host", "In the last round of a move that was completed the machine stood still.", [], tables);
    }

    private static string Told(VmsMigration migration) => migration.Outcome switch
    {
        "completed" => $"moved in {Milliseconds(migration.TotalTime!.Value)} ms, of which it stood still {Milliseconds(migration.Downtime!.Value)} ms",
        "failed" => $"stayed: {Printable(migration.Detail!)}",
        "machineEnded" => "it had ended before it was moved",
        _ => "the move never began",
    };

    private static PageSection Machines(VmsReport report)
    {
        DataColumn[] columns =
        [
            new("machine", DataColumnKind.Text), new("program", DataColumnKind.Text), new("end", DataColumnKind.Text),
            .. new[] { "at ms", "instructions", "memory", "most resident", "most shared", "most ballooned", "most swapped", "from swap", "to swap", "waited ms" }
                .Select(name => new DataColumn(name, DataColumnKind.Number)),
            new("SHA-256 of the output", DataColumnKind.Text),
        ];
        var table = new DataTable("The machines", columns, [.. report.Machines.Select(machine => (IReadOnlyList<string>)
        [
            Printable(machine.Name), Printable(machine.Program.Name), End(machine), Milliseconds(machine.EndedAt), Number((ulong)machine.Instructions), Size(machine.Memory),
            Size(machine.Peak.ResidentFrames << 12), Size(machine.Peak.SharedFrames << 12), Size(machine.Peak.BalloonedFrames << 12), Size(machine.Peak.SwappedFrames << 12),
            Size(machine.SwapInBytes), Size(machine.SwapOutBytes), Milliseconds(machine.SwapWait), machine.OutputSha256,
        ])]);
        return new PageSection("What became of each machine", "The checksum of a machine's output must be what it is on a host with enough memory.", [], [table]);
    }
}
