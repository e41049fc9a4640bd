using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Takes the stream of one run: classifies its misses, and keeps it in a file for sweeps to come.</summary>
public sealed class RunRecorder : IDisposable
{
    private readonly StreamFileWriter? _writer;
    private readonly MissConsumer? _misses;
    private readonly SiteNumbers _sites = new();
    private readonly StreamHub _hub;
    private RecordingMmu? _mmu;

    /// <summary>Begins the file.</summary>
    /// <param name="run">The run.</param>
    /// <param name="options">What is wanted of its stream.</param>
    public RunRecorder(RunOptions run, RunRecorderOptions options)
    {
        RecordedRuns runs = StreamRules.RunsFor(run.Machine, []);
        List<IStreamConsumer> consumers = [];
        // Without a data TLB there is nothing that misses could be measured by.
        if (options.Classifies && run.Machine.Mmu.L1Data.Arrays.Count > 0)
            consumers.Add(_misses = new MissConsumer(run.Machine.Mmu.L1Data));
        if (options.Recording is { } recording)
        {
            runs = StreamRules.Stricter(recording.Runs, runs);
            _writer = new StreamFileWriter(recording.Write, StreamFileHeader.Of(run, runs, hasSites: options.Classifies));
            consumers.Add(new RecordConsumer(_writer));
        }

        _hub = new StreamHub(consumers, threads: 1);
        Recording = new RunRecording(new TranslationStreamWriter(_hub), runs)
        {
            Attach = (machine, mmu) =>
            {
                _mmu = mmu;
                if (options.Classifies)
                    _sites.Attach(machine, mmu);
            },
        };
    }

    /// <summary>What the run is told.</summary>
    public RunRecording Recording { get; }

    /// <summary>Ends the file.</summary>
    /// <param name="report">How the run ended.</param>
    /// <returns>The report with what the stream told.</returns>
    public RunReport Complete(RunReport report)
    {
        _hub.Complete();
        _writer?.Complete(new StreamFileEnd
        {
            Program = report.Program,
            Instructions = report.Instructions,
            Exit = report.Exit,
            StaleUses = _mmu!.StaleUses,
            Sites = _sites.Names,
            Chunks = _writer.Chunks,
        });
        return report with { MissClasses = _misses?.Read(_sites.Names).Total };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _hub.Dispose();
        _misses?.Dispose();
    }
}
