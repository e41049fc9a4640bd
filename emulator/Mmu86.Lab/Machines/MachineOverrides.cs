using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Machines;

/// <summary>Applies <c>--set PATH=VALUE</c> to a machine description.</summary>
/// <remarks>Every override is applied to the JSON that <c>show machine</c> prints, then the whole is checked as a file would be.</remarks>
public static class MachineOverrides
{
    /// <summary>Applies overrides in order.</summary>
    /// <param name="machine">A description in order; it is not changed.</param>
    /// <param name="overrides">Each <c>PATH=VALUE</c>. VALUE is JSON, or a text without quotes.</param>
    /// <exception cref="ConfigurationException">A path names nothing, or the result is not a machine; carries every error.</exception>
    public static MachineDescription Apply(MachineDescription machine, IReadOnlyList<string> overrides)
    {
        List<ConfigurationError> errors = [];
        JsonNode document = JsonNode.Parse(MachineJson.Write(machine))!;
        foreach (string text in overrides)
            ApplyOne(document, text, errors);
        if (errors.Count > 0)
            throw Refused(errors);

        return MachineJson.Read(JsonSerializer.SerializeToUtf8Bytes(document, MachineJsonContext.Default.JsonNode), out IReadOnlyList<ConfigurationError> found)
            ?? throw Refused(found);
    }

    private static ConfigurationException Refused(IReadOnlyList<ConfigurationError> errors) => new("--set", ConfigurationOrigin.CommandLine, errors);

    private static void ApplyOne(JsonNode document, string text, List<ConfigurationError> errors)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            errors.Add(new ConfigurationError(text, "must be PATH=VALUE, such as mmu.l1Data.arrays[0].ways=8"));
            return;
        }

        string path = text[..equals];
        string value = text[(equals + 1)..];
        if (ConfigurationPath.TryResolve(document, path, out JsonNode? node, out string problem))
        {
            node!.ReplaceWith(Parse(value, node));
        }
        else if (!TryAdd(document, path, value, ref problem))
        {
            errors.Add(new ConfigurationError(path, problem));
            return;
        }

        // The value no longer has the source that the preset names.
        if (document["sources"] is JsonObject sources)
            sources[path] = "--set";
    }

    // A key that a machine may have and this one has not.
    private static bool TryAdd(JsonNode document, string path, string value, ref string problem)
    {
        int dot = path.LastIndexOf('.');
        string name = path[(dot + 1)..];
        string above = dot > 0 ? path[..dot] : "";
        JsonTypeInfo? type = JsonShape.TypeAt(MachineJsonContext.Default.Options, MachineJsonContext.Default.MachineDescription, above);
        if (type is null)
            return false;
        string[] names = [.. type.Properties.Select(property => property.Name)];
        JsonNode? parent = document;
        if (above.Length > 0 && !ConfigurationPath.TryResolve(document, above, out parent, out _))
        {
            if (names.Contains(name) && IsPlain(above))
                problem = $"this machine has no '{above}'; give all of it: {above}={{\"{name}\":...}} with {string.Join(", ", names)}";
            return false;
        }

        if (parent is not JsonObject members)
            return false;
        if (!names.Contains(name))
        {
            if (IsPlain(name) && Suggestion.Nearest(name, names) is string nearest)
                problem = $"no value of this name; did you mean '{JsonShape.Join(above, nearest)}'?";
            return false;
        }

        members[name] = Parse(value, old: null);
        return true;
    }

    // What is wrong with an item of a list, or with how a path is written, is said already.
    private static bool IsPlain(string path) => !path.Contains('[') && !path.EndsWith('.');

    // Where a text stands, VALUE is a text whatever it looks like; elsewhere it is JSON where it parses as JSON.
    private static JsonNode? Parse(string value, JsonNode? old)
    {
        bool isQuoted = value.Length >= 2 && value[0] == '"' && value[^1] == '"';
        if (old?.GetValueKind() != JsonValueKind.String || isQuoted)
        {
            try
            {
                return JsonNode.Parse(value);
            }
            catch (JsonException)
            {
            }
        }

        return JsonValue.Create(value, MachineJsonContext.Default.String);
    }
}
