namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>Lookups of one page of the size that a family of arrays holds, one after another with nothing between them.</summary>
/// <param name="Page">The linear address divided by the page size.</param>
/// <param name="Space">The address space that the entry is tagged with: a dense number of the caller's, one of them for global pages.</param>
/// <param name="Repeats">How many lookups, at least 1.</param>
public readonly record struct PageReference(ulong Page, uint Space, uint Repeats);
