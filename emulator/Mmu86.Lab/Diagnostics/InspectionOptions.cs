namespace Mmu86.Lab.Diagnostics;

/// <summary>Which part of a run is inspected.</summary>
public sealed record InspectionOptions
{
    /// <summary>Where it begins.</summary>
    public required Where From { get; init; }

    /// <summary>How many instructions are inspected. Null: to the end of the run.</summary>
    public ulong? Count { get; init; }
}
