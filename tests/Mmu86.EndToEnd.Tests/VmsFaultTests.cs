using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary><c>mmu86 vms</c> when something goes wrong around it: one clear sentence, a status, no file left, the others unharmed.</summary>
public sealed class VmsFaultTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    private readonly string _folder = Directory.CreateTempSubdirectory("mmu86-").FullName;

    private string SwapFile => Path.Combine(_folder, "pages.swap");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableTheory]
    [InlineData(false, 75, "mmu86: swap: ")]
    [InlineData(true, 74, "mmu86: swap.file: ")]
    public void Vms_SwapFileMayNotGrowSoLarge_SaysThatItHasNoRoom(bool preallocated, int status, string start)
    {
        string prlimit = TestTiers.RequireProgram("prlimit");
        string scenario = Scenario("3000", "300000", preallocated);

        using Process process = Start(prlimit, "--fsize=1048576", "dotnet", Path.Combine(AppContext.BaseDirectory, "mmu86.dll"), "vms", scenario, "--quiet");
        ProcessResult result = End(process);

        Assert.Equal((status, ""), (result.Status, result.Output));
        string line = Assert.Single(result.Error.Split('\n'), text => text.StartsWith(start, StringComparison.Ordinal));
        Assert.Contains("what this process may write, has no room", line, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", result.Error, StringComparison.Ordinal);
        Assert.Equal([scenario], Directory.GetFiles(_folder));
    }

    // The kernel has more than its memory and pages to its disk.
    [SkippableTheory]
    [InlineData("vms")]
    [InlineData("run")]
    public void Disk_MayNotGrowSoLarge_IsAnErrorThatTheGuestSeesAndTheUserIsTold(string command)
    {
        string prlimit = TestTiers.RequireProgram("prlimit");
        string scenario = Path.Combine(_folder, "scenario.json");
        File.WriteAllText(scenario, """
            { "schema": "mmu86.scenario/1", "hostMemory": "16M", "swap": { "size": "1M", "file": "pages.swap" },
              "machines": [ { "name": "kernel", "program": "memory-kernel", "args": ["random", "3000", "3000"], "memory": "8M" } ] }
            """);
        string[] words = command == "vms" ? ["vms", scenario, "--quiet", "--json", "-"]
            : ["run", "memory-kernel", "random", "3000", "3000", "--memory", "8M", "--paging", "nested", "--quiet", "--json", "-"];

        using Process process = Start(prlimit, ["--fsize=2097152", "dotnet", Path.Combine(AppContext.BaseDirectory, "mmu86.dll"), .. words]);
        ProcessResult result = End(process);

        string folder = command == "vms" ? _folder : Path.GetTempPath();
        Assert.Equal(3, result.Status); // code 1 at the debug exit: a device that does not do what it should
        string told = Assert.Single(result.Error.Split('\n'), line => line.StartsWith("mmu86: ", StringComparison.Ordinal) && line.Contains("disk", StringComparison.Ordinal));
        Assert.Matches($"^mmu86: (memory-)?kernel: [0-9]+ requests? to its disk failed, the last because the file system of {folder}, or what this process may write, has no room left; the guest was told so$", told);
        JsonNode report = JsonNode.Parse(result.Output)!;
        JsonNode? failures = command == "vms" ? report["machines"]![0]!["diskFailures"] : report["devices"]!["diskFailures"];
        Assert.True((int)failures! > 0);
        Assert.Equal([scenario], Directory.GetFiles(_folder));
    }

    [Fact]
    public void Vms_RestoredWhereNoFileForADiskCanBeMade_SaysSoAndDoesNotBlameTheSnapshot()
    {
        string scenario = Path.Combine(_folder, "scenario.json"), snapshot = Path.Combine(_folder, "host.snapshot");
        File.WriteAllText(scenario, """
            { "schema": "mmu86.scenario/1", "hostMemory": "16M",
              "machines": [ { "name": "kernel", "program": "memory-kernel", "args": ["random", "3000", "300"], "memory": "8M" } ] }
            """);
        Assert.Equal(0, Mmu86Process.RunInside("vms", scenario, "--quiet", "--snapshot", snapshot, "--snapshot-at", "100ms").Status);

        using Process process = Start("env", "TMPDIR=/proc/none", "dotnet", Path.Combine(AppContext.BaseDirectory, "mmu86.dll"), "vms", scenario, "--quiet", "--restore", snapshot);
        ProcessResult result = End(process);

        Assert.Equal(
            (74, $"mmu86: --restore: {snapshot} cannot be restored: page 0 of a guest's disk cannot be written: no file can be made in /proc/none/\n"), (result.Status, result.Error));
    }

    [SkippableTheory]
    [InlineData("INT", 130)]
    [InlineData("HUP", 129)]
    public void Vms_Interrupted_ReportsWhatRanAndLeavesNoFile(string signal, int status)
    {
        string kill = TestTiers.RequireProgram("kill");
        string scenario = Scenario("3000", "2000000000", preallocated: false);

        using Process process = Start("env", "--default-signal=INT,HUP", "dotnet", Path.Combine(AppContext.BaseDirectory, "mmu86.dll"), "vms", scenario, "--quiet", "--json", "-");
        WaitForSwap(process);
        Process.Start(kill, [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
        ProcessResult result = End(process);

        Assert.Equal(status, result.Status);
        Assert.StartsWith("mmu86: one: interrupted\n", result.Error, StringComparison.Ordinal);
        Assert.All(result.Error.TrimEnd('\n').Split('\n'), line => Assert.EndsWith(": interrupted", line, StringComparison.Ordinal));
        JsonNode report = JsonNode.Parse(result.Output)!;
        Assert.Equal(("limit", "interrupted", 0), ((string?)report["machines"]![0]!["exit"]!["kind"], (string?)report["machines"]![0]!["exit"]!["detail"], (int)report["framesOwnedAtEnd"]!));
        Assert.Equal([scenario], Directory.GetFiles(_folder));
    }

    [SkippableFact]
    public void Vms_SwapFileIsChangedWhileItRuns_EndsWhoLostAPageAndNobodyElse()
    {
        string scenario = Scenario("3000", "2000000000", preallocated: false);

        using Process process = Start("dotnet", Path.Combine(AppContext.BaseDirectory, "mmu86.dll"), "vms", scenario, "--quiet", "--json", "-");
        WaitForSwap(process);
        Flip();
        ProcessResult result = End(process);

        Assert.Equal(71, result.Status);
        Assert.StartsWith("mmu86: one: machine check: the page at G:0x", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("came back from swap with other bytes (its checksum differs)\n", result.Error, StringComparison.Ordinal);
        JsonNode report = JsonNode.Parse(result.Output)!;
        Assert.Equal(("exited", 0), ((string?)report["machines"]![1]!["exit"]!["kind"], (int)report["framesOwnedAtEnd"]!));
        Assert.True((int)report["swap"]!["checksumMismatches"]! > 0);
    }

    [Theory]
    [InlineData("\"startAt\": 18446744073709551615", "", "machines[0].startAt: must be 0 to 1000000000000000 virtual nanoseconds, not 18446744073709551615")]
    [InlineData("\"startAt\": -1", "", "machines[0].startAt: must be an integer of at least 0, not -1")]
    [InlineData("\"count\": 2000000000", "", "machines[0].count: must be 1 to 1000 in all, not 2000000000")]
    [InlineData("\"shares\": 1", "\"limits\": { \"time\": 0 },", "limits.time: must be 1 to 1000000000000000 virtual nanoseconds, not 0")]
    [InlineData("\"shares\": 1", "\"swap\": { \"size\": \"1M\", \"file\": \"a\\u0000b\" },", "swap.file: the path has a null character")]
    [InlineData("\"shares\": 1", "\"swap\": { \"size\": \"1M\", \"file\": \"/dev/null\" },", "swap.file: '/dev/null' exists and is not a swap file of Mmu86; remove it or name another")]
    [InlineData("\"startAt\": 5000000, \"memory\": \"1M\"", "", "machines[0].program: 'hello' cannot be placed: The machine's memory (0x100000 bytes) has no room for the page tables")]
    public void Vms_ScenarioThatCannotBe_IsRefusedBeforeAnythingRuns(string machine, string above, string sentence)
    {
        string memory = machine.Contains("memory", StringComparison.Ordinal) ? "" : "\"memory\": \"16M\", ";
        using var file = new TemporaryFile(
            $$"""{ "schema": "mmu86.scenario/1", "hostMemory": "8M", {{above}} "machines": [ { "name": "a", "program": "hello", {{memory}}{{machine}} } ] }""");
        ProcessResult result = Mmu86Process.RunInside("vms", file.Path, "--quiet");
        Assert.Equal((65, ""), (result.Status, result.Output));
        Assert.EndsWith($"{sentence}\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Count(character => character == '\n'));
    }

    [Fact]
    public void Vms_FolderInPlaceOfAScenario_IsCalledOne()
    {
        ProcessResult result = Mmu86Process.RunInside("vms", _folder);
        Assert.Equal((65, "", $"mmu86: {_folder} is a directory\n"), (result.Status, result.Output, result.Error));
    }

    // One pages all the time; the other ends soon and needs little.
    private string Scenario(string pages, string updates, bool preallocated)
    {
        string file = Path.Combine(_folder, "scenario.json");
        File.WriteAllText(file, $$"""
            { "schema": "mmu86.scenario/1", "hostMemory": "6M", "swap": { "size": "64M", "file": "pages.swap", "preallocated": {{(preallocated ? "true" : "false")}} },
              "machines": [ { "name": "one", "program": "gups", "args": ["{{pages}}", "{{updates}}"], "memory": "32M" },
                            { "name": "two", "program": "quicksort", "args": ["20000"], "memory": "32M", "min": "2M" } ] }
            """);
        return file;
    }

    // So much is in the file only when the machines have been running for a while.
    private void WaitForSwap(Process process)
    {
        var time = Stopwatch.StartNew();
        while (!File.Exists(SwapFile) || new FileInfo(SwapFile).Length < 6 << 20)
        {
            if (process.HasExited)
                Assert.Fail($"it ended before it had swapped: {End(process)}");
            Assert.True(time.Elapsed < s_limit, "it does not swap");
            Thread.Sleep(20);
        }
    }

    // Every page. .NET would ask for the lock that the process has; dd asks nobody.
    private void Flip()
    {
        string dd = TestTiers.RequireProgram("dd");
        long pages = new FileInfo(SwapFile).Length / 4096;
        string noise = Path.Combine(_folder, "noise");
        File.WriteAllBytes(noise, [.. Enumerable.Range(0, (int)(pages - 1) * 4096).Select(index => (byte)(index % 251))]);
        using Process writing = Start(dd, $"if={noise}", $"of={SwapFile}", "bs=4096", "seek=1", "conv=notrunc", "status=none");
        Assert.Equal(0, End(writing).Status);
    }

    private static Process Start(string program, params string[] words)
    {
        var start = new ProcessStartInfo(program, words) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };

        // The runtime maps its code twice by a file, which a limit on files would refuse.
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    private static ProcessResult End(Process process)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_limit))
        {
            process.Kill();
            throw new TimeoutException("it did not end");
        }

        return new ProcessResult(process.ExitCode, output.Result, error.Result);
    }
}
