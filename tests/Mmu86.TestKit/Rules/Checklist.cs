using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mmu86.TestKit.Rules;

/// <summary>The conformance checklist: <c>tests/Mmu86.TestKit/Rules/checklist.json</c>.</summary>
/// <param name="Sections">In the order of the book.</param>
public sealed record Checklist(IReadOnlyList<ChecklistSection> Sections)
{
    private static readonly JsonSerializerOptions Strict = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <summary>Every row.</summary>
    public IEnumerable<ChecklistRow> Rows => Sections.SelectMany(section => section.Rows);

    /// <summary>Reads the file of the working copy.</summary>
    /// <exception cref="JsonException">A key is missing or unknown.</exception>
    public static Checklist Load()
    {
        using FileStream file = File.OpenRead(Path.Combine(Repository.Root, "tests", "Mmu86.TestKit", "Rules", "checklist.json"));
        return JsonSerializer.Deserialize<Checklist>(file, Strict) ?? throw new JsonException("The checklist is null.");
    }
}
