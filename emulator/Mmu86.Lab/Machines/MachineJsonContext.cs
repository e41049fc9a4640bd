using System.Text.Json.Serialization;
using Mmu86.Lab.Configuration;
using Mmu86.Paging;
using Mmu86.Timing;

namespace Mmu86.Lab.Machines;

/// <summary>The generated reader and writer of machine descriptions: no reflection at start.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true,
    Converters =
    [
        typeof(CamelCaseConverter<IndexHash>), typeof(CamelCaseConverter<Replacement>), typeof(CamelCaseConverter<AccessesServed>),
        typeof(CamelCaseConverter<PrefetchKind>), typeof(CamelCaseConverter<Inclusion>), typeof(CamelCaseConverter<CacheReplacement>),
        typeof(CamelCaseConverter<WalkEntryPoint>), typeof(CamelCaseConverter<NestedFormat>), typeof(CamelCaseConverter<ClockSource>),
        typeof(CamelCaseConverter<CpuidTranslationKind>), typeof(CamelCaseConverter<CpuidTlbKind>), typeof(CamelCaseConverter<CpuidCacheKind>),
    ])]
[JsonSerializable(typeof(MachineDescription))]
[JsonSerializable(typeof(System.Text.Json.Nodes.JsonNode))]
[JsonSerializable(typeof(string))]
internal sealed partial class MachineJsonContext : JsonSerializerContext;
