using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary><c>mmu86 sweep</c> as a user meets it: tables, shards, going on after an interruption, and mistakes.</summary>
public sealed class SweepTests : IDisposable
{
    private const string Header =
        "structure,pageSize,sets,ways,replacement,hash,lookups,misses,missRatio,mpki,walkReferences,walkCycles";

    private static readonly string[] s_sweep = ["sweep", "tree", "1500", "--quiet"];

    private readonly string _folder = Directory.CreateTempSubdirectory("mmu86-sweep-").FullName;

    [Fact]
    public void LruGrid_AsCsv_HasTheColumnsOfTheContractAnd160RowsInOrder()
    {
        ProcessResult result = Mmu86Process.RunInside([.. s_sweep, "--csv", "-"]);

        Assert.Equal(0, result.Status);
        // What the guest wrote is not among them.
        Assert.StartsWith("tree 1500: ", result.Error);
        string[] lines = result.Output.TrimEnd('\n').Split('\n');
        // Later columns may follow.
        Assert.Equal(Header, string.Join(',', lines[0].Split(',').Take(12)));
        string[][] rows = [.. lines.Skip(1).Select(line => line.Split(','))];
        Assert.Equal(
            Enumerable.Range(0, 10).SelectMany(sets => Enumerable.Range(1, 16).Select(ways => $"l1d 4k {1 << sets} {ways} lru linear")),
            rows.Select(row => string.Join(' ', row.Take(6))));
        foreach (string[] row in rows)
        {
            long lookups = long.Parse(row[6], CultureInfo.InvariantCulture);
            long misses = long.Parse(row[7], CultureInfo.InvariantCulture);
            Assert.Equal((double)misses / lookups, double.Parse(row[8], CultureInfo.InvariantCulture), 12);
            // One pass: misses times the levels walked, and no cycles.
            Assert.Equal((4 * misses).ToString(CultureInfo.InvariantCulture), row[10]);
            Assert.Equal("", row[11]);
        }
    }

    [Fact]
    public void LruGrid_RowOfTheMachinesOwnShape_CountsWhatARunCounts()
    {
        string[] run = ["run", "tree", "1500", "--quiet", "--json", "-", "--set", "mmu.l1Data.arrays[0].replacement=lru"];
        JsonNode counts = JsonNode.Parse(Mmu86Process.RunInside(run).Output)!["tlb"]!["l1d"]!["bySize"]!["4k"]!;

        string[] row = Mmu86Process.RunInside([.. s_sweep, "--csv", "-"]).Output.Split('\n').Single(line => line.StartsWith("l1d,4k,16,4,", StringComparison.Ordinal)).Split(',');

        Assert.Equal($"{counts["lookups"]} {counts["misses"]}", $"{row[6]} {row[7]}");
    }

    [Fact]
    public void Json_Alone_IsOnStandardOutputWithTheRowsOfTheCsv()
    {
        string csv = Path.Combine(_folder, "rows.csv");
        ProcessResult result = Mmu86Process.Run([.. s_sweep, "--json", "-", "--csv", csv]);

        Assert.Equal(0, result.Status);
        JsonNode document = JsonNode.Parse(result.Output)!;
        Assert.Equal("mmu86.sweep/1", (string?)document["schema"]);
        JsonArray rows = document["rows"]!.AsArray();
        string[] lines = File.ReadAllLines(csv);
        Assert.Equal(
            lines.Skip(1).Select(line => string.Join(',', line.Split(',').Take(8))),
            rows.Select(row => string.Join(',', new[] { "structure", "pageSize", "sets", "ways", "replacement", "hash", "lookups", "misses" }.Select(key => $"{row![key]}"))));
    }

    [Theory]
    [InlineData("lru")]
    [InlineData("structure-caches")]
    public void Shards_Merged_AreTheWholeSweepToTheByte(string grid)
    {
        string[] parts = [.. Enumerable.Range(1, 3).Select(part => Path.Combine(_folder, $"{part}.json"))];
        string whole = Path.Combine(_folder, "whole.json");
        string merged = Path.Combine(_folder, "merged.json");
        for (int part = 1; part <= 3; part++)
            Assert.Equal(0, Mmu86Process.RunInside([.. s_sweep, "--grid", grid, "--shard", $"{part}/3", "--json", parts[part - 1]]).Status);
        Assert.Equal(0, Mmu86Process.RunInside([.. s_sweep, "--grid", grid, "--json", whole]).Status);

        // The order in which the shards are named is no matter.
        Assert.Equal(0, Mmu86Process.RunInside("sweep", "merge", parts[2], parts[0], parts[1], "--json", merged, "--quiet").Status);

        Assert.Equal(File.ReadAllBytes(whole), File.ReadAllBytes(merged));
    }

    [Fact]
    public void Resume_OfAFinishedSweep_GivesItAgainWithoutRunningTheGuest()
    {
        string kept = Path.Combine(_folder, "passes.json");
        ProcessResult first = Mmu86Process.RunInside([.. s_sweep, "--resume", kept, "--json", "-"]);
        byte[] passes = File.ReadAllBytes(kept);

        ProcessResult again = Mmu86Process.RunInside([.. s_sweep, "--resume", kept, "--json", "-"]);

        Assert.Equal((0, 0, first.Output), (first.Status, again.Status, again.Output));
        Assert.Contains("tree", first.Error); // the guest's own output: it ran
        Assert.Equal("", again.Error);
        Assert.Equal(passes, File.ReadAllBytes(kept));
    }

    [Fact]
    public void Resume_OfAnotherSweep_IsRefusedAndLeavesTheFile()
    {
        string kept = Path.Combine(_folder, "passes.json");
        Assert.Equal(0, Mmu86Process.RunInside([.. s_sweep, "--resume", kept]).Status);
        byte[] passes = File.ReadAllBytes(kept);

        ProcessResult other = Mmu86Process.RunInside("sweep", "tree", "1501", "--quiet", "--resume", kept);

        Assert.Equal((65, ""), (other.Status, other.Output));
        Assert.Equal($"mmu86: resume file {kept}: belongs to another sweep: program, machine, options and grid must be the same\n", other.Error);
        Assert.Equal(passes, File.ReadAllBytes(kept));
    }

    [Fact]
    public void GridFile_WithSeveralErrors_NamesThemAllByTheirPaths()
    {
        using var grid = new TemporaryFile(
            """
            {
              "schema": "mmu86.grid/1",
              "lru": [ { "structure": "l1d", "pageSize": "3k", "sets": [1, 3], "ways": [4, 2] } ],
              "models": { "structure": "l4", "axes": [ { "path": "mmu.l2.arrays[0].ways", "values": [] } ] }
            }
            """);

        ProcessResult result = Mmu86Process.RunInside([.. s_sweep, "--grid", grid.Path]);

        Assert.Equal((65, ""), (result.Status, result.Output));
        string[] paths = ["lru[0].ways[1]: ", "lru[0].sets[1]: ", "lru[0].pageSize: ", "models.axes[0].values: ", "models.structure: "];
        string[] lines = result.Error.TrimEnd('\n').Split('\n');
        Assert.Equal(paths.Length, lines.Length);
        Assert.All(paths, path => Assert.Contains(lines, line => line.StartsWith($"mmu86: grid file {grid.Path}: {path}", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("{", "is not JSON at line 1, byte 2")]
    [InlineData("{\"schema\":\"mmu86.grid/2\",\"lru\":[]}", "schema: must be 'mmu86.grid/1', not 'mmu86.grid/2'")]
    [InlineData("{\"schema\":\"mmu86.grid/1\",\"lry\":[]}", "lry: unknown key")]
    public void GridFile_Wrong_EndsWithStatus65AndItsError(string text, string error)
    {
        using var grid = new TemporaryFile(text);
        ProcessResult result = Mmu86Process.RunInside([.. s_sweep, "--grid", grid.Path]);
        Assert.Equal((65, ""), (result.Status, result.Output));
        Assert.Contains($"mmu86: grid file {grid.Path}: {error}", result.Error);
    }

    [Theory]
    [InlineData("sweep tree --grid lur", 65, "mmu86: grid lur: is neither a grid (")]
    [InlineData("sweep tree --shard 4/3", 64, "mmu86: --shard: must be I/N with I from 1 to N, such as 1/4, not '4/3'\n")]
    [InlineData("sweep tree --csv - --json -", 64, "mmu86: --json and --csv: only one of them can be standard output\n")]
    [InlineData("sweep tree --fidelity cycles", 64, "mmu86: --fidelity: a sweep evaluates the TLBs of 'tlb'\n")]
    public void WrongCommandLine_EndsWithItsStatusAndOneSentence(string words, int status, string error)
    {
        ProcessResult result = Mmu86Process.RunInside(words.Split(' '));
        Assert.Equal((status, ""), (result.Status, result.Output));
        Assert.StartsWith(error, result.Error);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
    }

    [SkippableFact]
    public void Interrupted_KeepsWhatIsDoneAndGoesOnLater()
    {
        string kill = TestTiers.RequireProgram("kill");
        string kept = Path.Combine(_folder, "passes.json");
        string partial = Path.Combine(_folder, "partial.json");
        // A short pass is kept, then comes a long one: nested, and of a machine for each row.
        string[] sweep = ["sweep", "hash-table", "30000", "--quiet", "--grid", "structure-caches", "--paging", "native,nested", "--resume", kept];
        using (Process process = Mmu86Process.Start(new Dictionary<string, string>(), [.. sweep, "--json", partial]))
        {
            var limit = Stopwatch.StartNew();
            while (!File.Exists(kept) && !process.HasExited && limit.Elapsed < TimeSpan.FromSeconds(100))
                Thread.Sleep(5);
            Process.Start(kill, ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
            string error = process.StandardError.ReadToEnd();
            Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)));
            Assert.Equal(130, process.ExitCode);
            Assert.EndsWith($"mmu86: hash-table: interrupted; rows are what was done so far, and passes that were complete are in {kept}\n", error);
        }

        JsonNode part = JsonNode.Parse(File.ReadAllText(partial))!;
        Assert.Equal("interrupted", (string?)part["exit"]!["detail"]);
        string[] native = [.. part["rows"]!.AsArray().Where(row => (string?)row!["paging"] == "native").Select(row => row!.ToJsonString())];
        Assert.NotEmpty(native);

        ProcessResult whole = Mmu86Process.Run([.. sweep, "--json", "-"]);

        Assert.Equal(0, whole.Status);
        JsonArray rows = JsonNode.Parse(whole.Output)!["rows"]!.AsArray();
        Assert.Equal(native, rows.Where(row => (string?)row!["paging"] == "native").Select(row => row!.ToJsonString()));
        Assert.Equal(2 * native.Length, rows.Count);
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
