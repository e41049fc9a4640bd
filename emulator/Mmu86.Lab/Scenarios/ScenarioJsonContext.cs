using System.Text.Json.Serialization;

namespace Mmu86.Lab.Scenarios;

/// <summary>The generated reader of scenario files.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ScenarioDescription))]
internal sealed partial class ScenarioJsonContext : JsonSerializerContext;
