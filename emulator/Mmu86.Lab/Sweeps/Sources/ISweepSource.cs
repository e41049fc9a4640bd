using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Sweeps.Sources;

/// <summary>What gives a sweep its translation stream: a guest that runs, a trace, or a stream recorded before.</summary>
public interface ISweepSource
{
    /// <summary>What a report says of it; known after <see cref="Produce"/>.</summary>
    ProgramReport Program { get; }

    /// <summary>Everything about it that decides rows, beside the options of a run.</summary>
    string Fingerprint { get; }

    /// <summary>Whether it can give the stream more than once.</summary>
    bool CanRepeat { get; }

    /// <summary>Finds out beside the first pass how many instructions a pass has.</summary>
    /// <param name="run">The run.</param>
    /// <param name="found">Told the number, on any thread, if it becomes known before the result is disposed.</param>
    /// <returns>Null where nobody tries.</returns>
    IDisposable? Forecast(RunOptions run, Action<ulong> found);

    /// <summary>Gives the stream from its beginning to its end.</summary>
    /// <param name="request">What is wanted.</param>
    /// <param name="cancellation">Ends it early, behind a moment of the stream.</param>
    SourceOutcome Produce(SourceRequest request, CancellationToken cancellation);
}
