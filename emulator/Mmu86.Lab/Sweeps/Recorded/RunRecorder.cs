using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Keeps the stream of one run in a file, for sweeps to come.</summary>
public sealed class RunRecorder : IDisposable
{
    private readonly StreamFileWriter _writer;
    private readonly StreamHub _hub;
    private RecordingMmu? _mmu;

    /// <summary>Begins the file.</summary>
    /// <param name="run">The run.</param>
    /// <param name="recording">Where it goes.</param>
    public RunRecorder(RunOptions run, SweepRecording recording)
    {
        RecordedRuns runs = StreamRules.Stricter(recording.Runs, StreamRules.RunsFor(run.Machine, []));
        _writer = new StreamFileWriter(recording.Write, StreamFileHeader.Of(run, runs, hasSites: false));
        _hub = new StreamHub([new RecordConsumer(_writer)], threads: 1);
        Recording = new RunRecording(new TranslationStreamWriter(_hub), runs) { Attach = (_, mmu) => _mmu = mmu };
    }

    /// <summary>What the run is told.</summary>
    public RunRecording Recording { get; }

    /// <summary>Ends the file.</summary>
    /// <param name="report">How the run ended.</param>
    public void Complete(RunReport report)
    {
        _hub.Complete();
        _writer.Complete(new StreamFileEnd
        {
            Program = report.Program,
            Instructions = report.Instructions,
            Exit = report.Exit,
            StaleUses = _mmu!.StaleUses,
            Sites = [],
            Chunks = _writer.Chunks,
        });
    }

    /// <inheritdoc/>
    public void Dispose() => _hub.Dispose();
}
