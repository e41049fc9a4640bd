using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>How the stream of a sweep is kept.</summary>
/// <param name="Write">Takes the file. What it throws ends the sweep.</param>
/// <param name="Runs">Which lookups may be taken together at most.</param>
public sealed record SweepRecording(WriteBytes Write, RecordedRuns Runs);
