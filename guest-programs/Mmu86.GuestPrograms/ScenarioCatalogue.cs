namespace Mmu86.GuestPrograms;

/// <summary>All bundled scenarios: the files of <c>guest-programs/scenarios</c>.</summary>
public static class ScenarioCatalogue
{
    private const string Prefix = "scenarios/";
    private const string Suffix = ".json";

    /// <summary>Their names, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(ScenarioCatalogue).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..^Suffix.Length])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The file of a name, UTF-8.</summary>
    /// <returns>Null where there is no such scenario.</returns>
    public static byte[]? Find(string name)
    {
        using Stream? file = typeof(ScenarioCatalogue).Assembly.GetManifestResourceStream(Prefix + name + Suffix);
        if (file is null)
            return null;
        using var bytes = new MemoryStream();
        file.CopyTo(bytes);
        return bytes.ToArray();
    }
}
