using System.Diagnostics;
using System.Text.Json.Nodes;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab.Running;
using Mmu86.Lab.Snapshots;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary>Snapshots as a user meets them: taken in one process, gone on from in another.</summary>
public sealed class SnapshotTests
{
    [SkippableTheory]
    [InlineData("native", "tlb")]
    [InlineData("nested", "tlb")]
    [InlineData("nested", "cycles")]
    public void Run_Restored_ReportsWhatTheUncutRunReports(string paging, string fidelity)
    {
        // The default tier has the one that keeps most; the same is asked of all without processes in GuestSnapshotTests.
        TestTiers.Require(fidelity == "cycles" ? TestTier.Default : TestTier.Ci);
        using var snapshot = new TemporaryFile();
        string[] guest = ["gups", "300", "20000", "--paging", paging, "--fidelity", fidelity, "--memory", "64M", "--quiet", "--json", "-"];
        ProcessResult whole = Mmu86Process.Run(["run", .. guest, "--snapshot", snapshot.Path, "--snapshot-at", "70001"]);
        ProcessResult uncut = Mmu86Process.Run(["run", .. guest]);
        ProcessResult restored = Mmu86Process.Run("run", "--restore", snapshot.Path, "--quiet", "--json", "-");
        Assert.Equal(0, whole.Status);
        Assert.Equal(0, restored.Status);
        Assert.Equal(SnapshotProcesses.WithoutHost(uncut.Output), SnapshotProcesses.WithoutHost(whole.Output));
        Assert.Equal(SnapshotProcesses.WithoutHost(uncut.Output), SnapshotProcesses.WithoutHost(restored.Output));
        Assert.Contains("\"measured\"", restored.Output, StringComparison.Ordinal);
        Assert.Equal(uncut.Error, restored.Error);
    }

    [Fact]
    public void Run_StoppedAndRestoredTwice_EndsAsOneRun()
    {
        using var first = new TemporaryFile();
        using var second = new TemporaryFile();
        ProcessResult uncut = Mmu86Process.Run("run", "sieve", "20000", "--memory", "64M", "--quiet", "--json", "-");
        Assert.Equal(75, Mmu86Process.Run("run", "sieve", "20000", "--memory", "64M", "--quiet", "--max-instructions", "10000", "--snapshot-at", "10000", "--snapshot", first.Path).Status);
        Assert.Equal(75, Mmu86Process.Run("run", "--restore", first.Path, "--quiet", "--max-instructions", "50000", "--snapshot-at", "50000", "--snapshot", second.Path).Status);
        ProcessResult restored = Mmu86Process.Run("run", "sieve", "20000", "--memory", "64M", "--restore", second.Path, "--quiet", "--json", "-");
        Assert.Equal(SnapshotProcesses.WithoutHost(uncut.Output), SnapshotProcesses.WithoutHost(restored.Output));
    }

    [Theory]
    [InlineData(64, "--snapshot-at: says when", "run hello --snapshot-at 5")]
    [InlineData(64, "--snapshot: needs --snapshot-at", "run hello --snapshot FILE")]
    [InlineData(64, "cannot be cut", "run hello --classify --snapshot FILE --snapshot-at 5")]
    [InlineData(64, "--machine: the snapshot has it", "run --restore FILE --machine zen2")]
    [InlineData(64, "--fidelity: the snapshot has it", "run --restore FILE --fidelity tlb")]
    [InlineData(74, "cannot be written", "run hello --snapshot /proc/none/x --snapshot-at 5")]
    [InlineData(65, "there is none", "run --restore /nowhere/at/all")]
    [InlineData(65, "field 'program'", "run sieve --restore FILE")]
    [InlineData(65, "field 'machine': is skylake", "run hello --machine zen2 --restore FILE")]
    [InlineData(65, "field 'seed': is 1, and this run's is 2", "run hello --seed 2 --restore FILE")]
    [InlineData(0, "did not come by there", "run hello --quiet --snapshot FILE --snapshot-at 100000")]
    public void Run_AskedForWhatCannotBe_SaysSoInOneSentence(int status, string words, string command)
    {
        using var file = new TemporaryFile();
        Assert.Equal(0, Mmu86Process.RunInside("run", "hello", "--quiet", "--snapshot", file.Path, "--snapshot-at", "5").Status);
        ProcessResult result = Mmu86Process.RunInside([.. command.Split(' ').Select(word => word == "FILE" ? file.Path : word)]);
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
        Assert.Equal(status, result.Status);
    }

    [Fact]
    public void Run_RestoredFromADamagedFile_NamesTheFileTheSectionAndTheField()
    {
        using var file = new TemporaryFile();
        Assert.Equal(0, Mmu86Process.RunInside("run", "hello", "--quiet", "--snapshot", file.Path, "--snapshot-at", "5").Status);
        byte[] bytes = File.ReadAllBytes(file.Path);
        bytes[^100] ^= 1;
        File.WriteAllBytes(file.Path, bytes);
        ProcessResult result = Mmu86Process.RunInside("run", "--restore", file.Path);
        Assert.StartsWith($"mmu86: --restore: {file.Path}: section ", result.Error, StringComparison.Ordinal);
        Assert.Contains("field '", result.Error, StringComparison.Ordinal);
        Assert.Equal(65, result.Status);
    }

    [Fact]
    public void Snapshot_KilledAtAnyMoment_LeavesTheOldOneValid()
    {
        string folder = Directory.CreateTempSubdirectory("mmu86-").FullName;
        try
        {
            string path = Path.Combine(folder, "guest.snapshot");
            string[] run = ["run", "gups", "12000", "200000", "--memory", "128M", "--quiet", "--snapshot", path, "--snapshot-at"];
            Assert.Equal(0, Mmu86Process.Run([.. run, "1000"]).Status);

            SnapshotProcesses.KillWhileWriting(path, [.. run, "150000"], TestTiers.Pick(4, 40, 400), 40, () =>
                SnapshotFile.Read(path, reader => GuestSnapshot.Read(reader, GuestOutput.None)).Dispose());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
