using System.Text.Json.Serialization;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Mmu86.Timing;

namespace Mmu86.Lab.Reports;

/// <summary>The generated writer of reports: no reflection at the end of a short run.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters =
    [
        typeof(CamelCaseConverter<IndexHash>), typeof(CamelCaseConverter<Replacement>), typeof(CamelCaseConverter<AccessesServed>),
        typeof(CamelCaseConverter<PrefetchKind>), typeof(CamelCaseConverter<Inclusion>), typeof(CamelCaseConverter<CacheReplacement>),
        typeof(CamelCaseConverter<WalkEntryPoint>), typeof(CamelCaseConverter<ClockSource>),
        typeof(CamelCaseConverter<CpuidTranslationKind>), typeof(CamelCaseConverter<CpuidTlbKind>), typeof(CamelCaseConverter<CpuidCacheKind>),
        typeof(CamelCaseConverter<NestedFormat>),
        typeof(CamelCaseConverter<PagingMode>), typeof(CamelCaseConverter<Fidelity>), typeof(CamelCaseConverter<ExitKind>),
    ])]
[JsonSerializable(typeof(RunReport))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;
