using System.Security.Cryptography;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>The guests in C: images and manifest belong together, and the sources still make them.</summary>
public sealed class PrebuiltGuestTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "guest-programs");

    [Fact]
    public void PrebuiltImages_AllOfThem_HaveTheManifestsHash()
    {
        IEnumerable<string> found = Directory.GetFiles(Path.Combine(Folder, "prebuilt"), "*.elf")
            .Select(path => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))}  {Path.GetFileName(path)}");

        Assert.Equal(Manifest().Where(line => !line.StartsWith('#')), found.OrderBy(line => line[66..], StringComparer.Ordinal));
    }

    [SkippableFact]
    public void Rebuild_WithTheManifestsTools_GivesTheSameImages()
    {
        TestTiers.Require(TestTier.Ci);
        TestTiers.RequireProgram("gcc");
        string bash = TestTiers.RequireProgram("bash");
        using var process = new GuestProcess();

        (int status, string output) = process.Run(bash, [Path.Combine(Folder, "rebuild.sh")]);

        Skip.If(output.StartsWith("note: the manifest was made with other tools", StringComparison.Ordinal), "skipped: another gcc or ld");
        Assert.Equal(Manifest().Where(line => !line.StartsWith('#')).Select(line => $"{line[66..]}: same"), output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(0, status);
    }

    private static string[] Manifest() => File.ReadAllLines(Path.Combine(Folder, "prebuilt", "manifest.txt"));
}
