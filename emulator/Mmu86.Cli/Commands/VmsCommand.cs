using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Mmu86.Cli.CommandLine;
using Mmu86.Cli.Programs;
using Mmu86.Cli.Rendering;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Scenarios;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;
using Spectre.Console;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 vms SCENARIO</c>: several virtual machines on one host.</summary>
internal static class VmsCommand
{
    private const ulong MostScale = 1UL << 20;

    private static readonly TimeSpan s_refresh = TimeSpan.FromMilliseconds(200);

    /// <summary>The command.</summary>
    /// <param name="streams">Where the report goes.</param>
    public static Command Create(StandardStreams streams)
    {
        var scenario = new Argument<string>("SCENARIO") { Description = "A bundled scenario (see 'mmu86 list scenarios') or the path of a file" };
        Option<string?> scale = GuestOptions.Text("--scale", "N/M", "Multiply every size of the scenario, such as 1/16 [default: 1]");
        Option<string?> hostMemory = GuestOptions.Text("--host-memory", "SIZE", "RAM of the host [default: what the scenario says]");
        Option<string?> machine = GuestOptions.Text("--machine", "NAME|FILE", $"Preset or JSON machine description [default: {MachineCatalogue.DefaultName}]");
        Option<string?> fidelity = GuestOptions.Text("--fidelity", "fast|tlb|cycles", "Architecture only, exact TLBs, or data caches too [default: tlb]");
        Option<string?> seed = GuestOptions.Text("--seed", "N", "The only source of randomness [default: 1]");
        Option<string?> threads = GuestOptions.Text("--threads", "N", "Threads that machines run on; no result depends on it [default: all processors]");
        var audit = new Option<bool>("--audit") { Description = "Read the bytes of every frame before it is mapped: no machine may see what another left" };
        var quiet = new Option<bool>("--quiet") { Description = "No progress, no report on the terminal" };
        var set = new Option<string[]>("--set") { Description = "Override one value of the machine by its path; repeatable", HelpName = "PATH=VALUE", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("vms", "Several virtual machines on one overcommitted host") { scenario };
        foreach (Option option in new Option[] { scale, hostMemory, machine, set, fidelity, seed, threads, audit, quiet })
            command.Add(option);
        HostSnapshotOptions snapshots = HostSnapshotOptions.AddTo(command);
        ResultTargetOptions targets = ResultTargetOptions.AddTo(command);
        command.SetAction(parsed =>
        {
            (ulong factor, ulong divisor) = ReadScale(parsed.GetValue(scale));
            MachineDescription description = MachineCatalogue.Find(parsed.GetValue(machine) ?? MachineCatalogue.DefaultName, parsed.GetValue(set) ?? []);
            if (description.Mmu.Nested is { Format: Paging.NestedFormat.Ept, AccessedAndDirty: false })
                throw UserErrorException.Usage($"--machine: {description.Name} has no accessed flags in EPT (mmu.nested.accessedAndDirty), which reclaim looks at");
            Scenario what = ScenarioFinder.Find(parsed.GetRequiredValue(scenario), new ScenarioReading
            {
                Name = "",
                Folder = "",
                Machine = description,
                Fidelity = Values.Choice<Fidelity>("--fidelity", parsed.GetValue(fidelity) ?? "tlb", [
                    new("fast", Fidelity.Fast), new("tlb", Fidelity.Tlb), new("cycles", Fidelity.Cycles)]),
                ScaleFactor = factor,
                ScaleDivisor = divisor,
                HostMemoryBytes = parsed.GetValue(hostMemory) is string size
                    ? Values.MemorySize("--host-memory", size, RunOptions.MinimumMemoryBytes, RunOptions.MaximumMemoryBytes)
                    : null,
                Seed = parsed.GetValue(seed) is string number ? Values.Number("--seed", number) : 1,
                FindProgram = (string program, IReadOnlyList<string> arguments, ulong memory, out string problem) => throw new UnreachableException(),
            });
            var runner = new RunSettings(
                what, parsed.GetValue(threads) is string count ? ReadThreads(count) : Environment.ProcessorCount, parsed.GetValue(audit), parsed.GetValue(quiet))
            {
                RestoredFrom = snapshots.RestoredFrom(parsed),
                Snapshot = snapshots.Wanted(parsed),
            };
            return Run(runner, targets.Open(parsed, streams), streams);
        });
        return command;
    }

    private sealed record RunSettings(Scenario Scenario, int Threads, bool Audits, bool IsQuiet)
    {
        public required string? RestoredFrom { get; init; }

        public required ScenarioSnapshotRequest? Snapshot { get; init; }
    }

    private static int ReadThreads(string text) => Values.Number("--threads", text) is >= 1 and <= 1024 and var count
        ? (int)count
        : throw UserErrorException.Usage($"--threads: '{text}' must be 1 to 1024");

    private static (ulong Factor, ulong Divisor) ReadScale(string? text)
    {
        if (text is null)
            return (1, 1);
        string[] parts = text.Split('/');
        if (parts.Length <= 2
            && ulong.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong factor) && factor is > 0 and <= MostScale
            && ulong.TryParse(parts.Length == 2 ? parts[1] : "1", NumberStyles.None, CultureInfo.InvariantCulture, out ulong divisor) && divisor is > 0 and <= MostScale)
            return (factor, divisor);
        throw UserErrorException.Usage($"--scale: must be N or N/M with numbers from 1 to {MostScale}, such as 1/16, not '{text}'");
    }

    private static int Run(RunSettings settings, ResultTargets opened, StandardStreams streams)
    {
        using ResultTargets targets = opened;
        using var interruption = new Interruption();
        using StreamWriter writer = streams.ErrorWriter();
        IAnsiConsole console = TerminalFactory.Create(writer, streams);
        bool isLive = !settings.IsQuiet && streams.ErrorIsTerminal && !TerminalFactory.IsDumb;
        (VmsReport report, bool isSnapshotTaken) = isLive ? RunLive(settings, console, writer, interruption.Token) : Evaluate(settings, null, interruption.Token);
        targets.Write(() => VmsJson.Write(report), () => VmsCsv.Write(report), () => VmsPage.Write(report));
        if (!settings.IsQuiet)
        {
            using var text = new StringWriter();
            VmsView.Write(TerminalFactory.Create(text, streams), report);
            foreach (string line in text.ToString().TrimEnd('\n').Split('\n'))
                writer.WriteLine(line.TrimEnd());
            writer.Flush();
        }

        foreach (VmsMachineReport machine in report.Machines)
        {
            if (machine.Exit is { Kind: not ExitKind.Exited, Detail: string detail })
                streams.Diagnose($"{machine.Name}: {detail}");
        }

        foreach (VmsMachineReport machine in report.Machines)
        {
            if (machine.DiskFailures is { } failures)
                streams.Diagnose(DiskWords.Failures(machine.Name, failures, machine.LastDiskFailure));
        }

        if (settings.Snapshot is { } snapshot && !isSnapshotTaken)
            streams.Diagnose($"--snapshot-at {snapshot.AtNanoseconds}: the run did not come by there, so no snapshot was taken; it ended at {report.Time} ns");
        if (report.Swap is { LastWriteFailure: { } why } swap)
            streams.Diagnose($"swap: {swap.WriteFailures} {(swap.WriteFailures == 1 ? "write" : "writes")} failed, the last because {why}; the pages stayed in memory");
        foreach (VmsMigration migration in report.Migrations ?? [])
        {
            if (migration.Detail is { } detail)
                streams.Diagnose($"{migration.Machine} did not move: {detail}");
        }

        if (interruption.Token.IsCancellationRequested)
            return interruption.Status;
        return report.Machines.FirstOrDefault(machine => machine.Exit is { IsSuccess: false })?.Exit!.Status ?? ExitStatus.Success;
    }

    private static (VmsReport Report, bool IsSnapshotTaken) RunLive(RunSettings settings, IAnsiConsole console, StreamWriter writer, CancellationToken cancellation)
    {
        (VmsReport, bool) result = default;
        var time = Stopwatch.StartNew();
        TimeSpan next = s_refresh;
        VmsMoment? shown = null;
        console.Live(new Text($"{settings.Scenario.Name}: starting")).AutoClear(true).Start(live =>
        {
            result = Evaluate(settings, moment =>
            {
                if (time.Elapsed < next)
                    return;
                next = time.Elapsed + s_refresh;
                live.UpdateTarget(VmsView.Live(settings.Scenario, moment, shown));
                shown = moment;
                live.Refresh();
                writer.Flush();
            }, cancellation);
        });
        writer.Flush();
        return result;
    }

    private static (VmsReport Report, bool IsSnapshotTaken) Evaluate(RunSettings settings, Action<VmsMoment>? progress, CancellationToken cancellation)
    {
        var runner = new ScenarioRunner(settings.Scenario)
        {
            Threads = settings.Threads,
            AuditsIsolation = settings.Audits,
            Progress = progress,
            RestoredFrom = settings.RestoredFrom,
            Snapshot = settings.Snapshot,
        };
        try
        {
            VmsReport report = runner.Run(cancellation);
            return (report, runner.IsSnapshotTaken);
        }
        catch (SnapshotFileException exception)
        {
            throw SnapshotOptions.Translate(exception);
        }
        catch (SnapshotUnavailableException exception)
        {
            throw UserErrorException.NotYet($"--snapshot: {exception.Message}");
        }
        catch (StateFormatException exception)
        {
            throw SnapshotOptions.Translate(settings.RestoredFrom!, exception);
        }
    }
}
