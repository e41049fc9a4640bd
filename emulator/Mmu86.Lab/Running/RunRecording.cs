using Mmu86.Paging;

namespace Mmu86.Lab.Running;

/// <summary>How a run is recorded.</summary>
/// <param name="Writer">Takes the stream.</param>
/// <param name="Runs">Which lookups may be taken together.</param>
public sealed record RunRecording(TranslationStreamWriter Writer, RecordedRuns Runs)
{
    /// <summary>Given the machine and its recorder before its first instruction; null for nobody.</summary>
    public Action<GuestMachine, RecordingMmu>? Attach { get; init; }
}
