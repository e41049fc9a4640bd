using System.Text.Json.Serialization;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Sweeps;

/// <summary>The file of a <see cref="SweepCheckpoint"/>.</summary>
internal sealed record CheckpointDocument
{
    /// <summary>The name and version of the format.</summary>
    public const string SchemaName = "mmu86.sweep-passes/1";

    /// <summary><see cref="SchemaName"/>.</summary>
    public string Schema { get; init; } = SchemaName;

    /// <summary>A hash of everything that decides the rows.</summary>
    public required string Sweep { get; init; }

    /// <summary>The passes that are complete.</summary>
    public required IReadOnlyList<CheckpointPass> Passes { get; init; }
}

/// <summary>One pass of a <see cref="CheckpointDocument"/>.</summary>
/// <param name="Name">Which.</param>
/// <param name="Result">What it found.</param>
internal sealed record CheckpointPass(string Name, SweepPassResult Result);

/// <summary>The generated reader and writer of these files.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(CamelCaseConverter<ExitKind>)])]
[JsonSerializable(typeof(CheckpointDocument))]
internal sealed partial class CheckpointJsonContext : JsonSerializerContext;
