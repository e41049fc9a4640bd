using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Sources;

/// <summary>A guest program that runs on the base machine.</summary>
/// <param name="program">The program of every run.</param>
public sealed class GuestSource(ProgramImage program) : ISweepSource
{
    /// <inheritdoc/>
    public ProgramReport Program { get; } = ProgramReport.Of(program);

    /// <inheritdoc/>
    public string Fingerprint => $"{program.Sha256} {program.Name} {string.Join(' ', program.Arguments)}";

    /// <inheritdoc/>
    public bool CanRepeat => true;

    /// <inheritdoc/>
    public IDisposable? Forecast(RunOptions run, Action<ulong> found) => run.MaxInstructions is null ? InstructionForecast.Start(run, found) : null;

    /// <inheritdoc/>
    public SourceOutcome Produce(SourceRequest request, CancellationToken cancellation)
    {
        var sites = new SiteNumbers();
        RecordingMmu? recorder = null;
        var runner = new GuestRunner(request.Run, request.Output)
        {
            Recording = new RunRecording(new TranslationStreamWriter(request.Sink), request.Runs)
            {
                Attach = (machine, mmu) =>
                {
                    recorder = mmu;
                    if (request.Classifies)
                        sites.Attach(machine, mmu);
                },
            },
            Progress = request.Progress,
        };
        RunReport report = runner.Run(cancellation);
        return new SourceOutcome
        {
            Instructions = report.Instructions,
            Exit = report.Exit,
            Runs = request.Runs,
            StaleUses = recorder!.StaleUses,
            Sites = sites.Names,
            IsComplete = report.Exit.Status != ExitReport.InterruptedStatus || !cancellation.IsCancellationRequested,
        };
    }
}
