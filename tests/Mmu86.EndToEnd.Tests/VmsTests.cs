using System.Text.Json.Nodes;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary><c>mmu86 vms</c> as a user runs it.</summary>
public sealed class VmsTests
{
    [Fact]
    public void Vms_BundledScenario_ReportsEveryMachineAndNoFrameIsLeft()
    {
        ProcessResult result = Mmu86Process.Run("vms", "never-touched", "--json", "-", "--audit");

        Assert.Equal(0, result.Status);
        JsonNode report = JsonNode.Parse(result.Output)!;
        Assert.Equal("mmu86.vms/1", (string?)report["schema"]);
        Assert.Equal(0, (int)report["framesOwnedAtEnd"]!);
        Assert.Equal(10, report["machines"]!.AsArray().Count);
        Assert.True((long)report["promised"]! > 20 * (long)report["hostMemory"]!);
        Assert.Contains("2560.0M promised on 96.0M", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Vms_FileWithRelativeProgram_FindsItBesideTheFile()
    {
        string folder = Directory.CreateTempSubdirectory("mmu86-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "flat.bin"), [0xF4]); // hlt
            string file = Path.Combine(folder, "halting.json");
            File.WriteAllText(file, """{ "schema": "mmu86.scenario/1", "hostMemory": "8M", "machines": [ { "name": "a", "program": "flat.bin", "memory": "4M" } ] }""");

            ProcessResult result = Mmu86Process.RunInside("vms", file, "--quiet", "--json", "-");

            Assert.Equal((0, ""), (result.Status, result.Error));
            Assert.Equal("halted", (string?)JsonNode.Parse(result.Output)!["machines"]![0]!["exit"]!["kind"]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("{ \"schema\": \"mmu86.scenario/1\", \"machines\": [ { \"name\": \"a\", \"program\": \"helo\", \"memory\": \"4M\" } ] }", 65, "hostMemory: is missing")]
    [InlineData("{ \"schema\": \"mmu86.scenario/1\", \"hostMemory\": \"8M\", \"machines\": [ { \"name\": \"a\", \"program\": \"./no/file\", \"memory\": \"4M\" } ] }", 65, "machines[0].program: there is no file")]
    [InlineData("{ \"schema\": \"mmu86.scenario/1\", \"hostMemory\": \"8M\", \"policy\": { \"idleTaxPercent\": 75 }, \"machines\": [ { \"name\": \"a\", \"program\": \"hello\", \"memory\": \"4M\" } ] }", 65, "policy.idleTaxPercent: is weighed with shares: 'policy.reclaim' must be shares")]
    [InlineData("{ \"schema\": \"mmu86.scenario/1\", \"hostMemory\": \"8M\", \"swap\": { \"size\": \"1M\", \"file\": \"no/such/folder\" }, \"machines\": [ { \"name\": \"a\", \"program\": \"hello\", \"memory\": \"16M\" } ] }", 65, "swap.file: the directory of")]
    [InlineData("nonsense", 65, "is not JSON at line 1")]
    public void Vms_BadScenario_IsOneSentenceAndAStatus(string json, int status, string sentence)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, json);
            ProcessResult result = Mmu86Process.RunInside("vms", file);
            Assert.Equal((status, ""), (result.Status, result.Output));
            Assert.Contains(sentence, result.Error, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("vms enough-memroy", 65, "mmu86: there is no scenario and no file 'enough-memroy'; did you mean 'enough-memory'?\n")]
    [InlineData("vms enough-memory --scale 1/0", 64, "mmu86: --scale: must be N or N/M with numbers from 1 to 1048576, such as 1/16, not '1/0'\n")]
    [InlineData("vms", 64, "mmu86: SCENARIO is missing; see 'mmu86 vms --help'\n")]
    [InlineData("vms enough-memory --scale 1/256", 65, null)]
    [InlineData("vms enough-memory --machine nehalem", 64, null)]
    public void Vms_WrongWords_AreToldInWords(string words, int status, string? error)
    {
        ProcessResult result = Mmu86Process.RunInside(words.Split(' '));
        Assert.Equal((status, ""), (result.Status, result.Output));
        Assert.True(error is null || error == result.Error, result.Error);
    }

    [Fact]
    public void Vms_SwapOnly_PrintsWhatAHostWithEnoughPrintsAndLeavesNoFile()
    {
        string folder = Directory.CreateTempSubdirectory("mmu86-").FullName;
        try
        {
            string file = Path.Combine(folder, "swap-only.json");
            File.WriteAllText(file, """
                { "schema": "mmu86.scenario/1", "hostMemory": "3M", "swap": { "size": "16M", "file": "pages.swap", "device": "ssd" },
                  "policy": { "reclaim": "shares", "replacement": "mglru" },
                  "machines": [ { "name": "a", "program": "gups", "args": ["512", "20000"], "memory": "16M", "count": 2 } ] }
                """);

            JsonNode scarce = Report("vms", file, "--quiet", "--json", "-");
            JsonNode enough = Report("vms", file, "--quiet", "--json", "-", "--host-memory", "32M");

            Assert.Equal(0, (int)scarce["framesOwnedAtEnd"]!);
            Assert.True((long)scarce["swap"]!["bytesRead"]! > 0);
            Assert.Equal(0, (long)enough["swap"]!["bytesRead"]!);
            Assert.Equal(Outputs(enough), Outputs(scarce));
            Assert.Equal([file], Directory.GetFiles(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static string[] Outputs(JsonNode report) => [.. report["machines"]!.AsArray().Select(machine => (string)machine!["outputSha256"]!)];

        static JsonNode Report(params string[] words)
        {
            ProcessResult result = Mmu86Process.RunInside(words);
            Assert.Equal((0, ""), (result.Status, result.Error));
            return JsonNode.Parse(result.Output)!;
        }
    }

    [Fact]
    public void Vms_HostTooSmallForEveryone_EndsInWordsWithEveryFrameBack()
    {
        ProcessResult result = Mmu86Process.RunInside("vms", "enough-memory", "--host-memory", "32M", "--json", "-", "--quiet");

        Assert.Equal(75, result.Status);
        Assert.Contains("the host has", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, (int)JsonNode.Parse(result.Output)!["framesOwnedAtEnd"]!);
    }

    [Fact]
    public void Vms_PageAndTable_AreWrittenBesideTheReport()
    {
        string folder = Directory.CreateTempSubdirectory("mmu86-").FullName;
        try
        {
            string page = Path.Combine(folder, "page.html");
            string csv = Path.Combine(folder, "rows.csv");
            ProcessResult result = Mmu86Process.RunInside("vms", "never-touched", "--quiet", "--json", "-", "--csv", csv, "--html", page);

            Assert.Equal((0, ""), (result.Status, result.Error));
            JsonNode report = JsonNode.Parse(result.Output)!;
            string html = File.ReadAllText(page);
            Assert.StartsWith("<!DOCTYPE html>", html, StringComparison.Ordinal);
            Assert.All(report["machines"]!.AsArray(), machine => Assert.Contains((string)machine!["outputSha256"]!, html, StringComparison.Ordinal));
            string[] lines = File.ReadAllLines(csv);
            JsonArray timeline = report["timeline"]!.AsArray();
            Assert.Equal(1 + (timeline.Count * 10), lines.Length);

            // The last moment is that of the end: what each machine did in all.
            Assert.Equal(
                report["machines"]!.AsArray().Select(machine => $"{machine!["name"]},{machine["instructions"]}"),
                lines[^10..].Select(line => line.Split(',')).Select(fields => $"{fields[3]},{fields[8]}"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("vms never-touched --csv - --json -", 64, "mmu86: --json and --csv: only one of them can be standard output\n")]
    [InlineData("vms never-touched --html /no-such-folder/page.html", 74, "mmu86: --html: /no-such-folder/page.html cannot be written\n")]
    public void Vms_ResultThatCannotBeWritten_IsToldBeforeAnythingRuns(string words, int status, string error)
    {
        ProcessResult result = Mmu86Process.RunInside(words.Split(' '));
        Assert.Equal((status, "", error), (result.Status, result.Output, result.Error));
    }

    [Fact]
    public void Vms_LiveMigration_MovesBothMachinesAndSaysHow()
    {
        ProcessResult result = Mmu86Process.RunInside("vms", "live-migration", "--json", "-", "--scale", "1/1");

        Assert.Equal(0, result.Status);
        JsonNode report = JsonNode.Parse(result.Output)!;
        Assert.Equal(0, (int)report["framesOwnedAtEnd"]!);
        JsonNode[] moves = [.. report["migrations"]!.AsArray().Select(node => node!)];
        Assert.All(moves, move => Assert.Equal("completed", (string?)move["outcome"]));

        // One stops when little is left; the other writes faster than the stream carries, and no round helps.
        Assert.True((long)moves[0]["downtime"]! <= 2_500_000);
        Assert.Equal(5, moves[1]["rounds"]!.AsArray().Count);
        Assert.True((long)moves[1]["downtime"]! > 3 * (long)moves[0]["downtime"]!);
        Assert.Contains("moves to another host", result.Error, StringComparison.Ordinal);
    }
}
