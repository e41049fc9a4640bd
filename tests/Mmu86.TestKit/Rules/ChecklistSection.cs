namespace Mmu86.TestKit.Rules;

/// <summary>The rows of one subject.</summary>
/// <param name="Title">The subject.</param>
/// <param name="Rows">Its rows, in the order of their ids.</param>
public sealed record ChecklistSection(string Title, IReadOnlyList<ChecklistRow> Rows);
