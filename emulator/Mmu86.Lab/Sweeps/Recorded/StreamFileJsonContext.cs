using System.Text.Json.Serialization;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Sweeps.Output;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>The generated reader and writer of the documents in recorded streams.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    Converters = [typeof(EmbeddedMachineConverter), typeof(CamelCaseConverter<ExitKind>), typeof(CamelCaseConverter<PagingMode>), typeof(CamelCaseConverter<PageSize>), typeof(CamelCaseConverter<RecordedRuns>)])]
[JsonSerializable(typeof(StreamFileHeader))]
[JsonSerializable(typeof(StreamFileEnd))]
internal sealed partial class StreamFileJsonContext : JsonSerializerContext;
