namespace Mmu86.Lab.Reports;

/// <summary>What was run.</summary>
public sealed record ProgramReport
{
    /// <summary>The name of a bundled guest, or the path as it was given.</summary>
    public required string Name { get; init; }

    /// <summary>The hash of the image, in lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The guest's arguments.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }
}
