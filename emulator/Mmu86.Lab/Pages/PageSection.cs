namespace Mmu86.Lab.Pages;

/// <summary>A part of a page under its own heading.</summary>
/// <param name="Title">The heading.</param>
/// <param name="Text">What the reader sees below, in a sentence or two; empty for nothing.</param>
/// <param name="Charts">The charts.</param>
/// <param name="Tables">Tables that stand for themselves.</param>
public sealed record PageSection(string Title, string Text, IReadOnlyList<Chart> Charts, IReadOnlyList<DataTable> Tables);
