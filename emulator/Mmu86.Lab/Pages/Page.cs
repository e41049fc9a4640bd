namespace Mmu86.Lab.Pages;

/// <summary>One self-contained page: what <c>--html</c> writes.</summary>
public sealed record Page
{
    /// <summary>The title.</summary>
    public required string Title { get; init; }

    /// <summary>What was run and how: names and values at the head of the page.</summary>
    public required IReadOnlyList<PageFact> Facts { get; init; }

    /// <summary>What a reader must know before believing a number, one sentence each.</summary>
    public IReadOnlyList<string> Cautions { get; init; } = [];

    /// <summary>The answers, one sentence each.</summary>
    public IReadOnlyList<string> Answers { get; init; } = [];

    /// <summary>The rest, in reading order.</summary>
    public required IReadOnlyList<PageSection> Sections { get; init; }
}
