using System.Diagnostics;
using System.Text.Json.Nodes;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary>Snapshots of whole hosts as a user meets them: taken in one process, gone on from in another.</summary>
public sealed class HostSnapshotTests : IDisposable
{
    private const string Crowded = """
        { "schema": "mmu86.scenario/1", "hostMemory": "4M", "swap": { "size": "32M" },
          "policy": { "reclaim": "shares", "replacement": "arc", "sharing": true, "sharingPagesPerSecond": 1000000 },
          "machines": [
            { "name": "clone", "program": "hash-table", "args": ["20000"], "memory": "16M", "count": 2 },
            { "name": "random", "program": "gups", "args": ["700", "60000"], "memory": "16M", "startAt": 500000 } ] }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("mmu86-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Vms_Restored_ReportsWhatTheUncutRunReports()
    {
        string scenario = Write("crowded.json", Crowded), first = InFolder("first"), second = InFolder("second");
        ProcessResult uncut = Mmu86Process.Run("vms", scenario, "--quiet", "--json", "-");
        ProcessResult whole = Mmu86Process.Run("vms", scenario, "--quiet", "--json", "-", "--snapshot", first, "--snapshot-at", "6ms");
        ProcessResult restored = Mmu86Process.Run("vms", scenario, "--quiet", "--json", "-", "--restore", first, "--threads", "1", "--snapshot", second, "--snapshot-at", "15ms");
        ProcessResult again = Mmu86Process.Run("vms", scenario, "--quiet", "--json", "-", "--restore", second, "--threads", "3", "--audit");
        Assert.Equal((0, ""), (uncut.Status, uncut.Error));
        Assert.True((long)JsonNode.Parse(uncut.Output)!["swap"]!["bytesWritten"]! > 0, "nothing was written to swap");
        foreach (ProcessResult other in (ProcessResult[])[whole, restored, again])
            Assert.Equal((0, "", SnapshotProcesses.WithoutHost(uncut.Output)), (other.Status, other.Error, SnapshotProcesses.WithoutHost(other.Output)));
    }

    [Theory]
    [InlineData(64, "--snapshot-at: says when", "vms SCENARIO --snapshot-at 5ms")]
    [InlineData(64, "--snapshot: needs --snapshot-at", "vms SCENARIO --snapshot FILE")]
    [InlineData(64, "--snapshot: needs a file", "vms SCENARIO --snapshot - --snapshot-at 5")]
    [InlineData(64, "'5min' is not a virtual time", "vms SCENARIO --snapshot FILE --snapshot-at 5min")]
    [InlineData(64, "'-1' is not a virtual time", "vms SCENARIO --snapshot FILE --snapshot-at=-1")]
    [InlineData(64, "'99999999999s' is not a virtual time", "vms SCENARIO --snapshot FILE --snapshot-at 99999999999s")]
    [InlineData(74, "cannot be written", "vms SCENARIO --snapshot /proc/none/x --snapshot-at 5")]
    [InlineData(65, "there is none", "vms SCENARIO --restore /nowhere/at/all")]
    [InlineData(65, "field 'hostMemory': is 4194304, and this run's is 8388608", "vms SCENARIO --restore FILE --host-memory 8M")]
    [InlineData(65, "field 'seed': is 1, and this run's is 2", "vms SCENARIO --restore FILE --seed 2")]
    [InlineData(65, "field 'machines[0].machine': is skylake", "vms SCENARIO --restore FILE --machine zen3")]
    [InlineData(65, "field 'machines[0].fidelity': is Tlb", "vms SCENARIO --restore FILE --fidelity fast")]
    [InlineData(65, "the snapshot of a whole host", "run --restore FILE")]
    [InlineData(0, "did not come by there", "vms SCENARIO --quiet --snapshot FILE --snapshot-at 100s")]
    public void Vms_AskedForWhatCannotBe_SaysSoInOneSentence(int status, string words, string command)
    {
        string scenario = Write("crowded.json", Crowded), file = InFolder("host.snapshot");
        if (command.Contains("--restore FILE", StringComparison.Ordinal))
            Assert.Equal(0, Mmu86Process.RunInside("vms", scenario, "--quiet", "--snapshot", file, "--snapshot-at", "1ms").Status);
        ProcessResult result = Mmu86Process.RunInside([.. command.Split(' ').Select(word => word == "FILE" ? file : word == "SCENARIO" ? scenario : word)]);
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
        Assert.Equal(status, result.Status);
    }

    [Fact]
    public void Vms_SnapshotDuringAMigration_IsRefusedAndLeavesTheOldFile()
    {
        string file = Write("host.snapshot", "old");
        ProcessResult result = Mmu86Process.RunInside("vms", "live-migration", "--scale", "1/2", "--quiet", "--snapshot", file, "--snapshot-at", "15ms");
        Assert.Contains("--snapshot: at 15000000 ns the migration of '", result.Error, StringComparison.Ordinal);
        Assert.Equal((69, "old"), (result.Status, File.ReadAllText(file)));
    }

    [Fact]
    public void Vms_RestoredFromADamagedFile_NamesTheFileTheSectionAndTheField()
    {
        string scenario = Write("crowded.json", Crowded), file = InFolder("host.snapshot");
        Assert.Equal(0, Mmu86Process.RunInside("vms", scenario, "--quiet", "--snapshot", file, "--snapshot-at", "1ms").Status);
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^5000] ^= 1;
        File.WriteAllBytes(file, bytes);
        ProcessResult result = Mmu86Process.RunInside("vms", scenario, "--restore", file);
        Assert.StartsWith($"mmu86: --restore: {file}: section ", result.Error, StringComparison.Ordinal);
        Assert.Contains("field '", result.Error, StringComparison.Ordinal);
        Assert.Equal(65, result.Status);
    }

    [SkippableFact]
    public void Snapshot_KilledAtAnyMoment_LeavesTheOldOneValid()
    {
        // The default tier kills processes that write a machine: SnapshotTests.
        TestTiers.Require(TestTier.Ci);

        // What is written takes a while: pages that do not shrink.
        string scenario = Write("large.json", """
            { "schema": "mmu86.scenario/1", "hostMemory": "96M", "swap": { "size": "64M" },
              "machines": [ { "name": "kernel", "program": "memory-kernel", "args": ["random", "60%", "200"], "memory": "48M", "count": 2 } ] }
            """);
        string folder = Directory.CreateDirectory(InFolder("kept")).FullName, path = Path.Combine(folder, "host.snapshot");
        string[] run = ["vms", scenario, "--quiet", "--snapshot", path, "--snapshot-at"];
        Assert.Equal(0, Mmu86Process.Run([.. run, "5ms"]).Status);
        string expected = Restored();

        SnapshotProcesses.KillWhileWriting(path, [.. run, "20ms"], TestTiers.Pick(6, 6, 200), 60, () => Assert.Equal(expected, Restored()));

        string Restored()
        {
            ProcessResult result = Mmu86Process.RunInside("vms", scenario, "--quiet", "--json", "-", "--restore", path);
            Assert.Equal(0, result.Status);
            return SnapshotProcesses.WithoutHost(result.Output);
        }
    }

    private string InFolder(string name) => Path.Combine(_folder, name);

    private string Write(string name, string text)
    {
        File.WriteAllText(InFolder(name), text);
        return InFolder(name);
    }
}
