namespace Mmu86.TestKit.Rules;

/// <summary>One row of the conformance checklist: a rule, and what Mmu86 does about it.</summary>
public sealed record ChecklistRow
{
    /// <summary>The row, such as <c>P04</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The rule in our own words.</summary>
    public required string Rule { get; init; }

    /// <summary>Where it is written: a section title of SDM 3, or of the document named.</summary>
    public required string Source { get; init; }

    /// <summary>What Mmu86 does where the rule leaves a choice or a machine must offer something; absent where there is nothing to add.</summary>
    public string? Choice { get; init; }

    /// <summary>How far the rule is kept.</summary>
    public required RowStatus Status { get; init; }

    /// <summary>Of every status but kept: what is missing, or why it is not offered.</summary>
    public string? Missing { get; init; }

    /// <summary>Of a row that is not offered and has no test: why there is nothing that could be refused.</summary>
    public string? NothingToRefuse { get; init; }

    /// <summary>Emulators that do otherwise, and how, as read in their sources.</summary>
    public IReadOnlyDictionary<string, string> Peers { get; init; } = new Dictionary<string, string>();
}
