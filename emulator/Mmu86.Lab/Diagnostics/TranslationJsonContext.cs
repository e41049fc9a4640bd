using System.Text.Json.Serialization;

namespace Mmu86.Lab.Diagnostics;

/// <summary>The generated writer of translation records.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TranslationRecord))]
internal sealed partial class TranslationJsonContext : JsonSerializerContext;
