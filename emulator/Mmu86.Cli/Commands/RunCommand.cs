using System.CommandLine;
using Mmu86.Cli.CommandLine;
using Mmu86.Cli.Rendering;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Snapshots;
using Mmu86.Lab.Sweeps.Recorded;
using Mmu86.Memory;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 run PROGRAM [ARGS...]</c>: runs a guest and reports what it cost.</summary>
internal static class RunCommand
{
    /// <summary>The command.</summary>
    /// <param name="guestWords">What followed <c>--</c>.</param>
    /// <param name="streams">Where output and report go.</param>
    public static Command Create(string[] guestWords, StandardStreams streams)
    {
        var command = new Command("run", "Runs a guest and reports what it cost");
        GuestOptions guest = GuestOptions.AddTo(command, guestWords);
        Option<string?> json = GuestOptions.Text("--json", "FILE|-", "Write the report as JSON; with '-' it alone is on standard output");
        var classify = new Option<bool>("--classify") { Description = "Tell the data TLB's misses by class: compulsory, capacity, conflict, invalidation" };
        RecordOptions record = RecordOptions.AddTo(command);
        SnapshotOptions snapshots = SnapshotOptions.AddTo(command);
        command.Add(json);
        command.Add(classify);
        command.SetAction(parsed =>
        {
            RunOptions options = snapshots.RestoredFrom(parsed) is { } from
                ? guest.ReadRestored(parsed, () => SnapshotOptions.ReadSaved(from))
                : guest.Read(parsed);
            if (parsed.GetValue(classify) && options.Fidelity != Fidelity.Tlb)
                throw UserErrorException.Usage("--classify: misses are classified in the fidelity 'tlb'");
            if (record.IsGiven(parsed) && options.Fidelity != Fidelity.Tlb)
                throw UserErrorException.Usage("--record: a stream is recorded in the fidelity 'tlb'");
            if (options.Paging == PagingMode.Shadow && (parsed.GetValue(classify) || record.IsGiven(parsed)))
                throw UserErrorException.NotYet("--paging shadow: what a guest does under shadow tables is neither recorded nor classified yet");
            if (snapshots.Given(parsed) is { } option && (record.IsGiven(parsed) || parsed.GetValue(classify)))
                throw UserErrorException.Usage($"{option}: a run that is recorded or classified cannot be cut");
            if (snapshots.Given(parsed) is { } cutting && options.Paging == PagingMode.Shadow)
                throw UserErrorException.NotYet($"{cutting}: a machine under shadow tables is not kept yet");
            using RecordTarget? recording = record.Open(parsed, streams);
            var wanted = new RunRecorderOptions { Recording = recording?.Recording, Classifies = parsed.GetValue(classify) };
            var cut = new Cut(snapshots.RestoredFrom(parsed), snapshots.Wanted(parsed));
            return Run(options, cut, wanted, recording, parsed.GetValue(json), guest.IsQuiet(parsed) ? Verbosity.Quiet : Verbosity.Reporting, streams);
        });
        return command;
    }

    private enum Verbosity
    {
        Quiet,
        Reporting,
    }

    // Where a run begins other than at its first instruction, and where its machine is kept.
    private sealed record Cut(string? RestoredFrom, SnapshotRequest? Snapshot);

    private static int Run(RunOptions options, Cut cut, RunRecorderOptions wanted, RecordTarget? recording, string? jsonPath, Verbosity verbosity, StandardStreams streams)
    {
        using ReportTarget? json = ReportTarget.Open("--json", jsonPath, streams);
        RunReport report;
        using (var interruption = new Interruption())
        {
            report = RunGuest(options, cut, wanted, json, verbosity, interruption, streams);
        }

        recording?.Complete();
        json?.Write(ReportJson.Write(report));
        json?.Complete();
        if (verbosity == Verbosity.Reporting)
            WriteReport(report, streams);
        if (report.Exit.Kind != ExitKind.Exited && report.Exit.Detail is string detail)
            streams.Diagnose($"{report.Program.Name}: {detail}");
        if (report.Devices?.DiskFailures is { } failures)
            streams.Diagnose(DiskWords.Failures(report.Program.Name, failures, report.Devices.LastDiskFailure));
        return report.Exit.Status;
    }

    private static RunReport RunGuest(RunOptions options, Cut cut, RunRecorderOptions wanted, ReportTarget? json, Verbosity verbosity, Interruption interruption, StandardStreams streams)
    {
        using var error = new GuestStream(streams.Error, "standard error");
        using var standard = json is { IsStandardOutput: true } ? new GuestStream(streams.Error, "standard error") : new GuestStream(streams.Output, "standard output");
        using var progress = new ProgressLine(options.Program.Name, streams)
        {
            IsWanted = verbosity == Verbosity.Reporting && streams.ErrorIsTerminal && !TerminalFactory.IsDumb,
            Slice = () =>
            {
                standard.Flush();
                error.Flush();
            },
        };
        standard.Leaving = progress.Hide;
        error.Leaving = progress.Hide;
        using RunRecorder? recorder = wanted is { Recording: null, Classifies: false } ? null : new RunRecorder(options, wanted);
        var runner = new GuestRunner(options, new GuestOutput(standard, error, error))
        {
            Progress = progress,
            Recording = recorder?.Recording,
            RestoredFrom = cut.RestoredFrom,
            Snapshot = cut.Snapshot,
        };
        RunReport report = Run(runner, options, interruption);
        if (cut.Snapshot is { } snapshot && !runner.IsSnapshotTaken)
            streams.Diagnose($"--snapshot-at {snapshot.AtInstruction}: the run did not come by there, so no snapshot was taken; it ended after {report.Instructions} instructions");
        report = recorder?.Complete(report) ?? report;
        return interruption.Token.IsCancellationRequested && report.Exit.Status == ExitReport.InterruptedStatus
            ? report with { Exit = report.Exit with { Status = interruption.Status } }
            : report;
    }

    private static RunReport Run(GuestRunner runner, RunOptions options, Interruption interruption)
    {
        try
        {
            return runner.Run(interruption.Token);
        }
        catch (SnapshotFileException exception)
        {
            throw SnapshotOptions.Translate(exception);
        }
        catch (StateFormatException exception)
        {
            throw SnapshotOptions.Translate(runner.RestoredFrom!, exception);
        }
        catch (NotSupportedException exception) when (runner.Recording is not null)
        {
            throw UserErrorException.NotYet($"{options.Program.Name}: {exception.Message}");
        }
    }

    private static void WriteReport(RunReport report, StandardStreams streams)
    {
        try
        {
            // Tables pad their last column; nobody wants that in a file.
            using var text = new StringWriter();
            RunReportView.Write(TerminalFactory.Create(text, streams), report);
            using StreamWriter writer = streams.ErrorWriter();
            foreach (string line in text.ToString().TrimEnd('\n').Split('\n'))
                writer.WriteLine(line.TrimEnd());
        }
        catch (IOException)
        {
            // Nobody reads it; the guest's status is what counts.
        }
    }
}
