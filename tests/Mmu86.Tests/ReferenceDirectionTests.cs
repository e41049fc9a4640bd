using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests;

/// <summary>References between projects point the way that docs/ARCHITECTURE.md draws, and the core reaches for nothing of the outside.</summary>
public sealed partial class ReferenceDirectionTests
{
    // Console, clocks, files, processes, random numbers. Whoever needs one is handed what it needs.
    private static readonly string[] ForbiddenTypes =
    [
        "System.Console", "System.DateTime", "System.DateTimeOffset", "System.TimeProvider", "System.Random", "System.Guid",
        "System.Environment", "System.Diagnostics.Stopwatch", "System.Diagnostics.Process", "System.Diagnostics.Trace",
        "System.Diagnostics.Activity", "System.Diagnostics.Tracing.EventSource",
    ];

    // Files, threads, networks, JSON, logging.
    private static readonly string[] ForbiddenNamespaces =
        ["System.IO", "System.Threading", "System.Net", "System.Text.Json", "System.Security.Cryptography", "Microsoft.Extensions"];

    [Fact]
    public void Projects_OfTheEmulator_ReferenceOnlyWhatTheArchitectureAllows()
    {
        Dictionary<string, HashSet<string>> allowed = Drawn();
        var wrong = new List<string>();
        foreach ((string project, string[] references) in Projects())
        {
            if (!allowed.TryGetValue(project, out HashSet<string>? targets))
                wrong.Add($"{project} is not in the drawing");
            else
                wrong.AddRange(references.Where(reference => !targets.Contains(reference)).Select(reference => $"{project} -> {reference}"));
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Drawing_OfTheArchitecture_HasEveryProjectAndNoOther() =>
        Assert.Equal(Projects().Select(project => project.Name).Order(), Drawn().Keys.Order());

    [Fact]
    public void GuestPrograms_ReferenceNothingOfTheEmulator() =>
        Assert.Empty(References(Path.Combine(Repository.Root, "guest-programs", "Mmu86.GuestPrograms", "Mmu86.GuestPrograms.csproj")));

    [Theory]
    [InlineData("X86")]
    [InlineData("Memory")]
    [InlineData("Paging")]
    [InlineData("Cpu")]
    public void Core_ReachesForNothingOutside(string project) => Assert.Empty(OutsideTypes(project));

    [Fact]
    public void Lab_WhichReadsFilesAndClocks_WouldNotPassAsCore() => Assert.NotEmpty(OutsideTypes("Lab"));

    // Lines such as "X86, Memory <- Devices, Loaders <- Hypervisor": what stands right may reference all that stands left of it.
    private static Dictionary<string, HashSet<string>> Drawn()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "ARCHITECTURE.md"));
        var allowed = new Dictionary<string, HashSet<string>>();
        foreach (Match line in DrawnLine().Matches(text))
        {
            var left = new HashSet<string>();
            foreach (string[] projects in line.Value.Split("<-").Select(group => group.Split(',', StringSplitOptions.TrimEntries)))
            {
                foreach (string project in projects)
                {
                    if (!allowed.TryAdd(project, [.. left]))
                        allowed[project].UnionWith(left);
                }

                left.UnionWith(projects);
            }
        }

        // What an allowed project may reference, it brings along.
        foreach (HashSet<string> targets in allowed.Values)
        {
            int before;
            do
            {
                before = targets.Count;
                targets.UnionWith(targets.SelectMany(target => allowed[target]).ToArray());
            }
            while (targets.Count != before);
        }

        return allowed;
    }

    private static IEnumerable<(string Name, string[] References)> Projects() =>
        from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "emulator"), "*.csproj", SearchOption.AllDirectories)
        select (ShortName(file), References(file));

    // Of the emulator's projects; the command line takes the bundled guests along.
    private static string[] References(string projectFile) =>
    [
        .. from reference in XDocument.Load(projectFile).Descendants("ProjectReference")
           let name = ShortName((string)reference.Attribute("Include")!)
           where name != "GuestPrograms"
           select name,
    ];

    private static string ShortName(string projectFile) => Path.GetFileNameWithoutExtension(projectFile).Replace("Mmu86.", "");

    private static List<string> OutsideTypes(string project)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, $"Mmu86.{project}.dll")));
        MetadataReader metadata = file.GetMetadataReader();
        var outside = new List<string>();
        foreach (TypeReferenceHandle handle in metadata.TypeReferences)
        {
            TypeReference type = metadata.GetTypeReference(handle);
            string space = metadata.GetString(type.Namespace);
            string name = $"{space}.{metadata.GetString(type.Name)}";
            if (ForbiddenTypes.Contains(name) || ForbiddenNamespaces.Any(forbidden => space == forbidden || space.StartsWith(forbidden + ".", StringComparison.Ordinal)))
                outside.Add(name);
        }

        return outside;
    }

    [GeneratedRegex(@"^\w+(?:, \w+)*(?: <- \w+(?:, \w+)*)+$", RegexOptions.Multiline)]
    private static partial Regex DrawnLine();
}
