namespace Mmu86.Lab.Reports;

/// <summary>Why walks were made.</summary>
public sealed record WalkReasonCounts
{
    /// <summary>No TLB had the translation.</summary>
    public required long Miss { get; init; }

    /// <summary>A store met a cached D=0 entry.</summary>
    public required long Dirty { get; init; }

    /// <summary>A cached entry did not give the rights that the access needs.</summary>
    public required long Rights { get; init; }

    /// <summary>Nobody asked yet.</summary>
    public required long Prefetch { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public WalkReasonCounts Since(WalkReasonCounts earlier) => new()
    {
        Miss = Miss - earlier.Miss,
        Dirty = Dirty - earlier.Dirty,
        Rights = Rights - earlier.Rights,
        Prefetch = Prefetch - earlier.Prefetch,
    };
}
