using System.Diagnostics;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary>What docs/guides/split-a-sweep.md promises: shards run by a job runner and merged are the unsharded sweep, byte for byte.</summary>
public sealed class ShardedSweepTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mmu86-shards-").FullName;

    [SkippableFact]
    public void ShardsByGnuParallel_Merged_AreTheWholeSweep()
    {
        string parallel = TestTiers.RequireProgram("parallel");
        string[] sweep = ["sweep", "tree", "2000", "--grid", "structure-caches", "--paging", "native,nested", "--quiet"];
        string command = string.Join(' ', ["dotnet", Path.Combine(AppContext.BaseDirectory, "mmu86.dll"), .. sweep, "--shard", "{}/3", "--json", $"{_folder}/part-{{}}.json"]);
        var start = new ProcessStartInfo(parallel, ["--will-cite", "--jobs", "2", command, ":::", "1", "2", "3"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using (Process process = Process.Start(start)!)
        {
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, error);
        }

        string[] parts = [.. Enumerable.Range(1, 3).Select(part => $"{_folder}/part-{part}.json")];
        Assert.Equal(0, Mmu86Process.Run(["sweep", "merge", .. parts, "--json", $"{_folder}/merged.json", "--quiet"]).Status);
        Assert.Equal(0, Mmu86Process.Run([.. sweep, "--json", $"{_folder}/whole.json"]).Status);
        Assert.Equal(File.ReadAllBytes($"{_folder}/whole.json"), File.ReadAllBytes($"{_folder}/merged.json"));
    }

    [Fact]
    public void Merge_OfTwoOfThreeShards_NamesTheMissingOne()
    {
        foreach (int part in new[] { 1, 3 })
            Assert.Equal(0, Mmu86Process.Run("sweep", "hello", "--shard", $"{part}/3", "--quiet", "--json", $"{_folder}/{part}.json").Status);

        ProcessResult result = Mmu86Process.Run("sweep", "merge", $"{_folder}/1.json", $"{_folder}/3.json");

        Assert.Equal((65, ""), (result.Status, result.Output));
        Assert.Equal("mmu86: sweep merge: shard 2/3 is missing\n", result.Error);
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
