using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Lab.Sweeps.Recorded;
using Mmu86.Lab.Sweeps.Sources;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps;

/// <summary>Evaluates a grid: the base machine runs the guest, or takes the trace, once for each paging mode, and every configuration sees what its MMU was asked.</summary>
public sealed class SweepRunner
{
    // So many machines see one execution: what they hold still has room in the real machine's memory.
    private const int MembersOfAPass = 512;

    private readonly SweepOptions _options;
    private readonly MachineDescription[] _members;
    private readonly SweepProgressRelay? _relay;

    /// <summary>Prepares a sweep.</summary>
    /// <exception cref="Configuration.ConfigurationException">A setting of the grid makes no machine.</exception>
    public SweepRunner(SweepOptions options)
    {
        _options = options;
        MachineDescription machine = options.Runs[0].Machine;
        _members = [.. (options.Grid.Models?.Settings ?? []).Select(settings => MachineOverrides.Apply(machine, settings))];
    }

    /// <summary>Told how far the sweep is, some times a second at least.</summary>
    public IProgress<SweepProgress>? Progress
    {
        init => _relay = value is null ? null : new SweepProgressRelay(value, _options.Runs[0]);
    }

    /// <summary>Where passes that are complete are kept, so that the sweep can go on later; null for nowhere.</summary>
    public SweepCheckpoint? Checkpoint { get; init; }

    /// <summary>Where the stream of the first pass is kept; null for nowhere. Not together with a checkpoint that may have that pass.</summary>
    public SweepRecording? Recording { get; init; }

    /// <summary>Runs.</summary>
    /// <param name="output">Where the guest's bytes go, once.</param>
    /// <param name="cancellation">Ends the sweep early: the result says so, and has what was done so far.</param>
    /// <exception cref="NotSupportedException">The guest does something that cannot be recorded.</exception>
    /// <exception cref="TraceException">The trace is damaged, or not one that this grid can use.</exception>
    /// <exception cref="IOException">The guest's output cannot be written.</exception>
    public SweepResult Run(GuestOutput output, CancellationToken cancellation)
    {
        SweepPass[] passes = [.. _options.Runs.SelectMany(Passes)];
        if (passes.Length > 1 && !_options.Source.CanRepeat)
            throw new TraceException($"this sweep needs the trace {passes.Length} times, and a pipe gives it once: use a file");
        using IDisposable? forecast = _relay is null ? null : _options.Source.Forecast(_options.Runs[0], _relay.Expect);
        List<SweepPassResult> results = [];
        for (int i = 0; i < passes.Length; i++)
        {
            _relay?.Begin(i + 1, passes.Length);
            SweepPassResult? kept = Checkpoint?.Find(passes[i].Name);
            SweepPassResult result = kept ?? Execute(passes[i], i == 0 ? output : GuestOutput.None, i == 0 ? Recording : null, cancellation);
            results.Add(result);
            if (!result.IsComplete)
                break;
            if (kept is null)
                Checkpoint?.Keep(passes[i].Name, result);
        }

        return Compose(results);
    }

    private IEnumerable<SweepPass> Passes(RunOptions run)
    {
        int[] mine = [.. Enumerable.Range(0, _members.Length).Where(member => _options.Shard.Has(FirstModelRow + member))];
        int first = 0;
        do
        {
            yield return new SweepPass(run, first == 0, mine.AsMemory(first, Math.Min(MembersOfAPass, mine.Length - first)));
            first += MembersOfAPass;
        }
        while (first < mine.Length);
    }

    private int FirstModelRow => _options.Grid.Families.Sum(family => family.Count);

    private SweepPassResult Execute(SweepPass pass, GuestOutput output, SweepRecording? recording, CancellationToken cancellation)
    {
        RunOptions run = pass.Run;
        MachineDescription[] members = [.. pass.Members.ToArray().Select(member => _members[member])];
        // What is kept serves the whole grid.
        RecordedRuns runs = recording is null
            ? StreamRules.RunsFor(run.Machine, members)
            : StreamRules.Stricter(recording.Runs, StreamRules.RunsFor(run.Machine, _members));
        OnePassConsumer[] families = pass.IsFirst ? [.. _options.Grid.Families.Select(request => new OnePassConsumer(request))] : [];
        ModelGroup[] groups = ModelGroup.Split(GuestMachine.HostBytesOf(run), members, run.Seed, runs, _options.Threads);
        using var workingSet = new WorkingSetConsumer();
        using MissConsumer? misses = _options.Classifies && pass.IsFirst ? new MissConsumer(run.Machine.Mmu.L1Data) : null;
        StreamFileWriter? file = recording is null ? null : new StreamFileWriter(recording.Write, StreamFileHeader.Of(run, runs, misses is not null));
        var marks = new MarkConsumer();
        IStreamConsumer[] consumers =
        [
            marks, workingSet, .. misses is null ? [] : new[] { misses }, .. families, .. groups.Select(group => group.Consumer),
            .. file is null ? [] : new[] { new RecordConsumer(file) },
        ];
        try
        {
            using var hub = new StreamHub(consumers, _options.Threads);
            SourceOutcome outcome = _options.Source.Produce(
                new SourceRequest { Run = run, Runs = runs, Classifies = misses is not null, Sink = hub, Output = output, Progress = _relay },
                cancellation);
            hub.Complete();
            file?.Complete(new StreamFileEnd
            {
                Program = _options.Source.Program,
                Instructions = outcome.Instructions,
                Exit = outcome.Exit,
                StaleUses = outcome.StaleUses,
                Sites = outcome.Sites,
                Chunks = file.Chunks,
            });

            var builder = new SweepRowBuilder(run, outcome.Runs, marks.Last);
            List<SweepRow> rows = [.. families.SelectMany(builder.Rows).Where((_, row) => _options.Shard.Has(row))];
            for (int i = 0; i < members.Length; i++)
            {
                int member = pass.Members.Span[i];
                rows.Add(builder.Row(_options.Grid.Models!, _options.Grid.Models!.Settings[member], _members[member], ModelGroup.Statistics(groups, i)));
            }

            return new SweepPassResult
            {
                Rows = rows,
                Instructions = outcome.Instructions,
                Exit = outcome.Exit,
                Misses = misses?.Read(outcome.Sites),
                WorkingSet = workingSet.Samples,
                Assumption = Assumption(run, outcome.StaleUses),
                IsComplete = outcome.IsComplete,
            };
        }
        finally
        {
            foreach (ModelGroup group in groups)
                group.Consumer.Dispose();
        }
    }

    private SweepResult Compose(List<SweepPassResult> passes)
    {
        SweepPassResult first = passes[0];
        RunOptions run = _options.Runs[0];
        SweepRow[] rows = [.. passes.SelectMany(pass => pass.Rows)];
        return new SweepResult
        {
            Program = _options.Source.Program,
            Machine = run.Machine with { Sources = null },
            Grid = _options.Grid.Name,
            Seed = run.Seed,
            Exit = passes[^1].Exit,
            Instructions = first.Instructions,
            Assumption = passes.Select(pass => pass.Assumption).FirstOrDefault(assumption => assumption is not null),
            Shard = _options.Shard == Shard.Whole ? null : _options.Shard.ToString(),
            IsComplete = passes[^1].IsComplete,
            Rows = rows,
            SmallestNearBest = SweepAnswers.SmallestNearBest(rows),
            Misses = first.Misses,
            WorkingSet = first.WorkingSet,
        };
    }

    private static string? Assumption(RunOptions run, ulong staleUses)
    {
        const string SoWhat = "rows assume the course that the base machine's run took";
        if (run.Machine.Clock.Counts == ClockSource.Cycles)
            return $"the guest's clock counts the cycles of the base machine: {SoWhat}";
        return staleUses > 0 ? $"the guest used translations that its tables no longer had ({staleUses} lookups): {SoWhat}" : null;
    }
}
