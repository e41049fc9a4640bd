using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Sources;

/// <summary>A trace of accesses, which the base machine's MMU translates.</summary>
/// <param name="file">The trace, of any format but <see cref="TraceFormat.Mmu86"/>. Not owned.</param>
public sealed class TraceSource(TraceFile file) : ISweepSource
{
    /// <inheritdoc/>
    public ProgramReport Program => file.Program;

    /// <inheritdoc/>
    public string Fingerprint => $"{file.Program.Sha256} {file.Format}";

    /// <inheritdoc/>
    public bool CanRepeat => file.CanBeReadAgain;

    /// <inheritdoc/>
    public IDisposable? Forecast(RunOptions run, Action<ulong> found) => null;

    /// <inheritdoc/>
    public SourceOutcome Produce(SourceRequest request, CancellationToken cancellation)
    {
        try
        {
            using TraceReader reader = TraceReader.Of(file.Format, file.Open());
            var runner = new TraceRunner(request.Run, reader, new TranslationStreamWriter(request.Sink), request.Runs)
            {
                MarksMisses = request.Classifies,
                Progress = request.Progress,
            };
            ExitReport? exit = runner.Run(cancellation);
            return new SourceOutcome
            {
                Instructions = (long)runner.Instructions,
                Exit = exit,
                Runs = request.Runs,
                Sites = [SiteNumbers.Elsewhere],
                IsComplete = exit?.Status != ExitReport.InterruptedStatus,
            };
        }
        catch (TraceException exception)
        {
            throw new TraceException($"{file.Name}: {exception.Message}", exception);
        }
    }
}
