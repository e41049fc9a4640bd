using System.Text.Json.Serialization;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>The generated reader and writer of sweep results.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    Converters = [typeof(EmbeddedMachineConverter), typeof(CamelCaseConverter<ExitKind>)])]
[JsonSerializable(typeof(SweepResult))]
internal sealed partial class SweepJsonContext : JsonSerializerContext;
