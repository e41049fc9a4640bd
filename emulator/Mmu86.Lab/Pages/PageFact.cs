namespace Mmu86.Lab.Pages;

/// <summary>A name and a value.</summary>
/// <param name="Name">The name.</param>
/// <param name="Value">The value as text.</param>
public sealed record PageFact(string Name, string Value);
