namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>What is wanted of the stream of one run.</summary>
public sealed record RunRecorderOptions
{
    /// <summary>Where the stream is kept; null for nowhere.</summary>
    public SweepRecording? Recording { get; init; }

    /// <summary>Whether misses of the data TLB are told by class.</summary>
    public required bool Classifies { get; init; }
}
