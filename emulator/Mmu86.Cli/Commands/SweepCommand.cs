using System.CommandLine;
using Mmu86.Cli.CommandLine;
using Mmu86.Cli.Rendering;
using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Lab.Sweeps.Output;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 sweep PROGRAM [ARGS...]</c> or <c>mmu86 sweep --trace FILE</c>: one run, many TLB configurations.</summary>
internal static class SweepCommand
{
    private const string DefaultGrid = "lru";

    /// <summary>The command.</summary>
    /// <param name="guestWords">What followed <c>--</c>.</param>
    /// <param name="streams">Where output and result go.</param>
    public static Command Create(string[] guestWords, StandardStreams streams)
    {
        var command = new Command("sweep", "One run, many TLB configurations: every row equals the direct simulation of its configuration");
        GuestOptions guest = GuestOptions.AddTo(command, guestWords);
        Option<string?> grid = GuestOptions.Text("--grid", "NAME|FILE", $"The configurations: {string.Join(", ", GridCatalogue.Names)}, or a JSON file [default: {DefaultGrid}]");
        var classify = new Option<bool>("--classify") { Description = "Tell the base machine's misses by class, symbol and page" };
        Option<string?> shard = GuestOptions.Text("--shard", "I/N", "Evaluate only the I-th of N parts; 'sweep merge' puts them together");
        Option<string?> resume = GuestOptions.Text("--resume", "FILE", "Keep what is done in FILE, and go on from there where it exists");
        SweepInputOptions input = SweepInputOptions.AddTo(command, guest);
        RecordOptions record = RecordOptions.AddTo(command);
        ResultTargetOptions targets = ResultTargetOptions.AddTo(command);
        foreach (Option option in new Option[] { grid, classify, shard, resume })
            command.Add(option);
        command.Add(SweepMergeCommand.Create(streams));
        command.SetAction(parsed =>
        {
            SweepGrid configurations = GridCatalogue.Find(parsed.GetValue(grid) ?? DefaultGrid);
            Shard part = ReadShard(parsed.GetValue(shard));
            using SweepInput found = input.Open(parsed);
            if (found.Runs[0].Fidelity != Fidelity.Tlb)
                throw UserErrorException.Usage("--fidelity: a sweep evaluates the TLBs of 'tlb'");
            string? resumeFile = parsed.GetValue(resume);
            if (record.IsGiven(parsed) && resumeFile is not null)
                throw UserErrorException.Usage("--record: a sweep that goes on may have nothing left to record; leave out --resume");
            if (record.IsGiven(parsed) && found.Runs.Count > 1)
                throw UserErrorException.Usage("--record: a stream is of one paging mode; name one by --paging");
            if (resumeFile is not null && !found.Source.CanRepeat)
                throw UserErrorException.Usage("--resume: a pipe cannot be read again; use a file");
            var options = new SweepOptions
            {
                Runs = found.Runs,
                Source = found.Source,
                Grid = configurations,
                Classifies = parsed.GetValue(classify),
                Shard = part,
                Threads = Environment.ProcessorCount,
            };
            using RecordTarget? recording = record.Open(parsed, streams);
            return Run(options, resumeFile, recording, targets.Open(parsed, streams), guest.IsQuiet(parsed) ? Verbosity.Quiet : Verbosity.Reporting, streams);
        });
        return command;
    }

    private static Shard ReadShard(string? text) => text is null ? Shard.Whole
        : Shard.Parse(text) ?? throw UserErrorException.Usage($"--shard: must be I/N with I from 1 to N, such as 1/4, not '{text}'");

    private static int Run(SweepOptions options, string? resume, RecordTarget? recording, ResultTargets targets, Verbosity verbosity, StandardStreams streams)
    {
        using (targets)
        {
            SweepResult result;
            using (var interruption = new Interruption())
            {
                result = Evaluate(options, resume, recording, verbosity, interruption, streams);
                if (!result.IsComplete)
                    streams.Diagnose($"{options.Runs[0].Program.Name}: interrupted; rows are what was done so far{(resume is null ? "" : $", and passes that were complete are in {resume}")}");
                recording?.Complete();
                targets.Write(() => SweepJson.Write(result), () => SweepCsv.Write(result), () => SweepPage.Write(result));
                if (verbosity == Verbosity.Reporting && !targets.UseStandardOutput)
                    SweepTable.Write(result, streams);
                if (!result.IsComplete)
                    return interruption.Status;
            }

            return result.Exit is null or { Kind: Lab.Reports.ExitKind.Exited or Lab.Reports.ExitKind.Halted } ? 0 : Explain(result, streams);
        }
    }

    // The rows are right for what ran; the status says that it was not all.
    private static int Explain(SweepResult result, StandardStreams streams)
    {
        if (result.Exit?.Detail is string detail)
            streams.Diagnose($"{result.Program.Name}: {detail}");
        return result.Exit?.Status ?? 0;
    }

    private static SweepResult Evaluate(SweepOptions options, string? resume, RecordTarget? recording, Verbosity verbosity, Interruption interruption, StandardStreams streams)
    {
        using var error = new GuestStream(streams.Error, "standard error");
        string name = options.Runs[0].Program.Name;
        using var progress = new ProgressLine(name, streams)
        {
            IsWanted = verbosity == Verbosity.Reporting && streams.ErrorIsTerminal && !TerminalFactory.IsDumb,
            Slice = error.Flush,
        };
        error.Leaving = progress.Hide;
        try
        {
            var runner = new SweepRunner(options)
            {
                Progress = progress,
                Checkpoint = resume is null ? null : SweepCheckpoint.Open(resume, options),
                Recording = recording?.Recording,
            };
            return runner.Run(new GuestOutput(error, error, error), interruption.Token);
        }
        catch (NotSupportedException exception)
        {
            throw UserErrorException.NotYet($"{name}: {exception.Message}");
        }
    }

    private enum Verbosity
    {
        Quiet,
        Reporting,
    }
}
