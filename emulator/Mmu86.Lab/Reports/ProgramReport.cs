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

    /// <summary>What a report says of an image.</summary>
    public static ProgramReport Of(ProgramImage program) => new() { Name = program.Name, Sha256 = program.Sha256, Arguments = program.Arguments };
}
