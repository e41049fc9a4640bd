using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Mmu86.Lab.Configuration;

/// <summary>Compares a JSON document with the shape of a type and reports every difference with its path.</summary>
/// <remarks>
/// The deserialiser stops at the first error. This walk reads the same generated metadata, so there is no second list of
/// names to keep: it finds unknown, missing and repeated keys and values of the wrong kind, all of them.
/// </remarks>
internal sealed class JsonShape(JsonSerializerOptions options, List<ConfigurationError> errors)
{
    /// <summary>A type that has a reader of its own, which finds its errors: its values are passed over.</summary>
    public Type? CheckedElsewhere { get; init; }

    /// <summary>Checks a value and everything below it.</summary>
    /// <param name="value">The value as it was read.</param>
    /// <param name="type">What it shall be.</param>
    /// <param name="path">Its path; empty for the document.</param>
    public void Check(JsonElement value, JsonTypeInfo type, string path)
    {
        if (type.Type == CheckedElsewhere)
            return;
        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object:
                CheckObject(value, type, path);
                break;
            case JsonTypeInfoKind.Enumerable:
                CheckList(value, type, path);
                break;
            case JsonTypeInfoKind.Dictionary:
                CheckDictionary(value, type, path);
                break;
            case JsonTypeInfoKind.None:
                CheckLeaf(value, type.Type, path);
                break;
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    /// <summary>The path of a member.</summary>
    public static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    /// <summary>What a type has at a path (<see cref="ConfigurationPath"/>).</summary>
    /// <returns>Null where it has nothing there.</returns>
    public static JsonTypeInfo? TypeAt(JsonSerializerOptions options, JsonTypeInfo root, string path)
    {
        JsonTypeInfo? type = root;
        foreach (string step in path.Replace("[", ".[", StringComparison.Ordinal).Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            Type? next = step[0] == '['
                ? type.ElementType
                : type.Properties.FirstOrDefault(property => property.Name == step)?.PropertyType;
            if (next is null)
                return null;
            type = options.GetTypeInfo(next);
        }

        return type;
    }

    private void CheckObject(JsonElement value, JsonTypeInfo type, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            Refuse(path, $"must be an object, not {Describe(value)}");
            return;
        }

        HashSet<string> seen = [];
        foreach (JsonProperty member in value.EnumerateObject())
        {
            string memberPath = Join(path, member.Name);
            JsonPropertyInfo? property = type.Properties.FirstOrDefault(p => p.Name == member.Name);
            if (property is null)
                Refuse(memberPath, $"unknown key{Suggestion.Ending(member.Name, type.Properties.Select(p => p.Name))}");
            else if (!seen.Add(member.Name))
                Refuse(memberPath, "appears twice");
            else
                Check(member.Value, options.GetTypeInfo(property.PropertyType), memberPath);
        }

        foreach (JsonPropertyInfo property in type.Properties)
        {
            if (property.IsRequired && !seen.Contains(property.Name))
                Refuse(Join(path, property.Name), "is missing");
        }
    }

    private void CheckList(JsonElement value, JsonTypeInfo type, string path)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            Refuse(path, $"must be a list, not {Describe(value)}");
            return;
        }

        JsonTypeInfo element = options.GetTypeInfo(type.ElementType!);
        int index = 0;
        foreach (JsonElement item in value.EnumerateArray())
            Check(item, element, $"{path}[{index++}]");
    }

    private void CheckDictionary(JsonElement value, JsonTypeInfo type, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            Refuse(path, $"must be an object, not {Describe(value)}");
            return;
        }

        JsonTypeInfo element = options.GetTypeInfo(type.ElementType!);
        HashSet<string> seen = [];
        foreach (JsonProperty member in value.EnumerateObject())
        {
            string memberPath = $"{path}[\"{member.Name}\"]";
            if (!seen.Add(member.Name))
                Refuse(memberPath, "appears twice");
            else
                Check(member.Value, element, memberPath);
        }
    }

    private void CheckLeaf(JsonElement value, Type type, string path)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string))
        {
            if (value.ValueKind != JsonValueKind.String)
                Refuse(path, $"must be a text, not {Describe(value)}");
        }
        else if (type == typeof(bool))
        {
            if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
                Refuse(path, $"must be true or false, not {Describe(value)}");
        }
        else if (type == typeof(int))
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out _))
                Refuse(path, $"must be an integer of at most {int.MaxValue}, not {Describe(value)}");
        }
        else if (type == typeof(long))
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out _))
                Refuse(path, $"must be an integer, not {Describe(value)}");
        }
        else if (type == typeof(ulong))
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetUInt64(out _))
                Refuse(path, $"must be an integer of at least 0, not {Describe(value)}");
        }
        else if (type == typeof(double))
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !double.IsFinite(number))
                Refuse(path, $"must be a number, not {Describe(value)}");
        }
        else if (type.IsEnum)
        {
            CheckEnum(value, type, path);
        }
        else
        {
            throw new System.Diagnostics.UnreachableException($"no rule for {type}");
        }
    }

    private void CheckEnum(JsonElement value, Type type, string path)
    {
        string[] names = [.. Enum.GetNames(type).Select(JsonNamingPolicy.CamelCase.ConvertName)];
        string? written = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        if (written is null || !names.Contains(written))
            Refuse(path, $"must be one of {string.Join(", ", names)}, not {Describe(value)}{(written is null ? "" : Suggestion.Ending(written, names))}");
    }

    private void Refuse(string path, string message) => errors.Add(new ConfigurationError(path, message));

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => $"'{Shorten(value.GetString()!)}'",
        JsonValueKind.Number => Shorten(value.GetRawText()),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "...";
}
