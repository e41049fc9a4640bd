using Mmu86.Lab.Running;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Sources;

/// <summary>What a pass wants of its source.</summary>
public sealed record SourceRequest
{
    /// <summary>The base run.</summary>
    public required RunOptions Run { get; init; }

    /// <summary>Which lookups may be taken together at most.</summary>
    public required RecordedRuns Runs { get; init; }

    /// <summary>Whether sites are numbered and misses of the base machine marked.</summary>
    public required bool Classifies { get; init; }

    /// <summary>Takes the stream.</summary>
    public required IStreamSink Sink { get; init; }

    /// <summary>Where a guest's bytes go.</summary>
    public required GuestOutput Output { get; init; }

    /// <summary>Told the number of instructions so far, some times a second at least; null for nobody.</summary>
    public IProgress<ulong>? Progress { get; init; }
}
