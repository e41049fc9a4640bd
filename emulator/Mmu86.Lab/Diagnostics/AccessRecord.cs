namespace Mmu86.Lab.Diagnostics;

/// <summary>What an access was.</summary>
public sealed record AccessRecord
{
    /// <summary><c>fetch</c>, <c>read</c> or <c>write</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Bytes. Null where the instruction does not say.</summary>
    public int? Size { get; init; }

    /// <summary>Its place among the instruction's translations, from 0.</summary>
    public required int Index { get; init; }
}
