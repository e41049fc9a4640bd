using System.Globalization;
using System.Text.Json.Nodes;

namespace Mmu86.Lab.Configuration;

/// <summary>Paths of values in a JSON document: names divided by dots, list items by number or by the <c>name</c> they carry.</summary>
/// <remarks><c>mmu.l1Data.arrays[0].ways</c> and <c>mmu.l1Data.arrays[l1d-4k].ways</c> are the same value of <c>skylake</c>.</remarks>
public static class ConfigurationPath
{
    /// <summary>Finds a value.</summary>
    /// <param name="document">Where to look.</param>
    /// <param name="path">The path.</param>
    /// <param name="node">The value.</param>
    /// <param name="problem">Where the result is false: why, in words, with a suggestion where there is one.</param>
    public static bool TryResolve(JsonNode document, string path, out JsonNode? node, out string problem)
    {
        node = document;
        problem = "";
        int position = 0;
        while (position < path.Length)
        {
            string read = path[..position];
            node = path[position] == '[' ? Item(node!, path, read, ref position, ref problem) : Member(node!, path, read, ref position, ref problem);
            if (node is null)
            {
                if (problem.Length == 0)
                    problem = "names nothing";
                return false;
            }
        }

        if (!ReferenceEquals(node, document))
            return true;
        problem = "the path is empty";
        return false;
    }

    private static JsonNode? Member(JsonNode node, string path, string read, ref int position, ref string problem)
    {
        int start = position > 0 && path[position] == '.' ? position + 1 : position;
        int end = path.AsSpan(start).IndexOfAny('.', '[');
        end = end < 0 ? path.Length : start + end;
        string name = path[start..end];
        position = end;
        if (name.Length == 0 || (start == position && read.Length > 0))
        {
            problem = $"a name is missing after '{read}'";
            return null;
        }

        if (node is not JsonObject members)
        {
            problem = $"'{read}' has no members";
            return null;
        }

        if (members[name] is JsonNode member)
            return member;
        string nearest = Suggestion.Nearest(name, members.Select(pair => pair.Key)) is string near
            ? $"; did you mean '{JsonShape.Join(read, near)}{path[position..]}'?"
            : $"; {(read.Length == 0 ? "the machine" : $"'{read}'")} has {string.Join(", ", members.Select(pair => pair.Key))}";
        problem = $"no value of this name{nearest}";
        return null;
    }

    private static JsonNode? Item(JsonNode node, string path, string read, ref int position, ref string problem)
    {
        int end = path.IndexOf(']', position);
        if (end < 0)
        {
            problem = "']' is missing";
            return null;
        }

        string key = path[(position + 1)..end];
        position = end + 1;
        if (node is not JsonArray items)
        {
            problem = $"'{read}' is not a list";
            return null;
        }

        if (int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
        {
            if (index < items.Count)
                return items[index];
            problem = items.Count == 0 ? $"'{read}' is an empty list" : $"'{read}' has items 0 to {items.Count - 1}";
            return null;
        }

        if (items.FirstOrDefault(item => NameOf(item) == key) is JsonNode found)
            return found;
        string[] names = [.. items.Select(NameOf).OfType<string>()];
        problem = names.Length == 0
            ? $"items of '{read}' have no names, use a number"
            : Suggestion.Nearest(key, names) is string near
                ? $"no item of this name; did you mean '{read}[{near}]{path[position..]}'?"
                : $"no item of this name; '{read}' has {string.Join(", ", names)}";
        return null;
    }

    private static string? NameOf(JsonNode? item) =>
        item is JsonObject members && members["name"] is JsonValue value && value.TryGetValue(out string? name) ? name : null;
}
