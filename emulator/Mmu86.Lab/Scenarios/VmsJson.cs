using System.Text.Json.Serialization;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Scenarios;

/// <summary>Reports of scenarios as JSON (<c>mmu86.vms/1</c>).</summary>
public static class VmsJson
{
    /// <summary>The report as indented JSON with a final newline.</summary>
    public static string Write(VmsReport report) => JsonText.Write(report, VmsJsonContext.Default.VmsReport);
}

/// <summary>The generated writer of reports of scenarios.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(CamelCaseConverter<ExitKind>)])]
[JsonSerializable(typeof(VmsReport))]
internal sealed partial class VmsJsonContext : JsonSerializerContext;
