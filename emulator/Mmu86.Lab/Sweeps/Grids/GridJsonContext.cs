using System.Text.Json.Serialization;

namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>The generated reader of grid files.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(GridDescription))]
internal sealed partial class GridJsonContext : JsonSerializerContext;
