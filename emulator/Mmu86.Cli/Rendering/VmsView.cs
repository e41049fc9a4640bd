using System.Globalization;
using Mmu86.Lab.Scenarios;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Mmu86.Cli.Rendering;

/// <summary>A scenario for people: a table that lives while it runs, and one of what became of it.</summary>
internal static class VmsView
{
    // As wide as their numbers need, whatever the terminal: it wraps lines, which is easier to read than wrapped cells.
    private const int MostWidth = 250;

    /// <summary>How things stand.</summary>
    /// <param name="scenario">What runs.</param>
    /// <param name="moment">Now.</param>
    /// <param name="before">What was shown last, for the rate since then; null at first.</param>
    public static IRenderable Live(Scenario scenario, VmsMoment moment, VmsMoment? before)
    {
        Table table = Make(
            $"{scenario.Name}: {Milliseconds(moment.Time)} ms, {Size(moment.Free << 12)} free, {moment.State}",
            "machine", "million\ninstructions", "MIPS", "resident", "shared", "ballooned", "swapped", "faults");
        for (int i = 0; i < moment.Machines.Count; i++)
        {
            VmsMachineMoment machine = moment.Machines[i];
            Add(
                table, scenario.Machines[i].Name, Number(machine.Instructions / 1_000_000), Rate(moment, before, i), Size(machine.Resident << 12), Size((machine.Shared ?? 0) << 12),
                Size((machine.Ballooned ?? 0) << 12), Size(machine.Swapped << 12), Number(machine.Faults));
        }

        return table;
    }

    // Instructions by the host's virtual time: what waiting leaves of a machine's speed.
    private static string Rate(VmsMoment moment, VmsMoment? before, int machine)
    {
        ulong time = moment.Time - (before?.Time ?? 0);
        ulong retired = moment.Machines[machine].Instructions - (before?.Machines[machine].Instructions ?? 0);
        return time == 0 ? "" : (retired * 1000.0 / time).ToString("F0", CultureInfo.InvariantCulture);
    }

    /// <summary>Writes what became of it.</summary>
    public static void Write(IAnsiConsole console, VmsReport report)
    {
        Table table = Make(
            $"{report.Scenario}: {Size(report.Promised)} promised on {Size(report.HostMemory)}; {Size(report.PeakFramesUsed << 12)} used at most, {Milliseconds(report.Time)} ms",
            "machine", "end", "at ms", "million\ninstructions", "most\nresident", "most\nshared", "most\nballooned", "most\nswapped", "in", "out", "waited\nms", "output");
        foreach (VmsMachineReport machine in report.Machines)
        {
            Add(
                table, machine.Name, machine.Exit is { } exit ? $"{exit.Kind.ToString().ToLowerInvariant()} {exit.Status}" : "never started",
                Milliseconds(machine.EndedAt), Number((ulong)machine.Instructions / 1_000_000), Size(machine.Peak.ResidentFrames << 12), Size(machine.Peak.SharedFrames << 12),
                Size(machine.Peak.BalloonedFrames << 12), Size(machine.Peak.SwappedFrames << 12), Size(machine.SwapInBytes), Size(machine.SwapOutBytes), Milliseconds(machine.SwapWait), machine.OutputSha256[..12]);
        }

        console.Profile.Width = MostWidth;
        console.Write(table);
        if (report.Migrations is { } migrations)
            WriteMigrations(console, migrations);
    }

    private static void WriteMigrations(IAnsiConsole console, IReadOnlyList<VmsMigration> migrations)
    {
        Table table = Make("moves to another host", "machine", "outcome", "rounds", "sent", "pages", "zero pages", "total ms", "downtime ms");
        foreach (VmsMigration migration in migrations)
        {
            Add(
                table, migration.Machine, migration.Outcome, Number((ulong)migration.Rounds.Count), Size(migration.Bytes), Number(migration.Pages), Number(migration.ZeroPages),
                migration.TotalTime is { } total ? Milliseconds(total) : "", migration.Downtime is { } downtime ? Milliseconds(downtime) : "");
        }

        console.Write(table);
    }

    private static Table Make(string title, params string[] columns)
    {
        var table = new Table { Title = new TableTitle(Markup.Escape(title)), Border = TableBorder.Simple };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(column) { Alignment = column is "machine" or "end" or "outcome" or "output" ? Justify.Left : Justify.Right, NoWrap = true });
        return table;
    }

    // Texts, not markup: names come from files.
    private static void Add(Table table, params string[] cells) => table.AddRow(cells.Select(cell => new Text(cell)));

    private static string Number(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Milliseconds(ulong nanoseconds) => (nanoseconds / 1e6).ToString("F1", CultureInfo.InvariantCulture);

    private static string Size(ulong bytes) => bytes >= 1 << 20
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:F1}M")
        : $"{bytes >> 10}K";
}
