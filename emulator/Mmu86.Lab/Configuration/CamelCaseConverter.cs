using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mmu86.Lab.Configuration;

/// <summary>Enumerations as their names in camel case; integers are refused.</summary>
internal sealed class CamelCaseConverter<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;
