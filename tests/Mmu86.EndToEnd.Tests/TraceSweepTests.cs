using System.Diagnostics;
using System.Text;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary><c>mmu86 sweep --trace</c> and <c>--record</c>, as a user meets them.</summary>
public sealed class TraceSweepTests
{
    [Fact]
    public void Trace_AsCsv_HasTheRowsCountedByHand()
    {
        using var trace = new TemporaryFile("r 0x1000 8\nr 0x2000 8\nr 0x1000 8\n");

        ProcessResult result = Mmu86Process.RunInside("sweep", "--trace", trace.Path, "--grid", "fully-associative", "--csv", "-", "--quiet");

        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Contains("l1d,4k,1,1,lru,linear,3,3,1,0,12,,native,,\nl1d,4k,1,2,lru,linear,3,2,", result.Output);
    }

    [Fact]
    public void Trace_OnStandardInput_IsTheSame()
    {
        using Process process = Start("sweep", "--trace", "-", "--grid", "fully-associative", "--csv", "-", "--quiet");
        process.StandardInput.Write("==7== Lackey\n L 1000,8\n S 2000,8\n M 1000,8\n");
        process.StandardInput.Close();

        Assert.Contains("\nl1d,4k,1,1,lru,linear,3,3,", process.StandardOutput.ReadToEnd());
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void Recording_OfASweepAndOfARun_GivesTheSweepToTheByte()
    {
        using var bySweep = new TemporaryFile();
        using var byRun = new TemporaryFile();
        string[] grid = ["--grid", "fully-associative", "--json", "-", "--quiet"];

        ProcessResult direct = Mmu86Process.RunInside(["sweep", "quicksort", "2000", "--record", bySweep.Path, .. grid]);
        ProcessResult run = Mmu86Process.RunInside("run", "quicksort", "2000", "--record", byRun.Path, "--quiet");

        Assert.Equal((0, 0), (direct.Status, run.Status));
        Assert.Equal(direct.Output, Mmu86Process.RunInside(["sweep", "--trace", bySweep.Path, .. grid]).Output);
        Assert.Equal(direct.Output, Mmu86Process.RunInside(["sweep", "--trace", byRun.Path, .. grid]).Output);
    }

    [Theory]
    [InlineData(64, "one word too many", "sweep", "hello", "--trace", "TRACE")]
    [InlineData(64, "--trace-format: says what --trace FILE is written in", "sweep", "hello", "--trace-format", "text")]
    [InlineData(64, "'dinero' is none of lackey, champsim, text, mmu86", "sweep", "--trace", "TRACE", "--trace-format", "dinero")]
    [InlineData(64, "--load-address: a trace has no program", "sweep", "--trace", "TRACE", "--load-address", "0x1000")]
    [InlineData(64, "--record-strict: says how --record FILE records", "sweep", "hello", "--record-strict")]
    [InlineData(64, "--record: needs a file", "sweep", "hello", "--record", "-")]
    [InlineData(64, "--record: a stream is of one paging mode", "sweep", "hello", "--record", "x", "--paging", "native,nested")]
    [InlineData(64, "leave out --resume", "sweep", "hello", "--record", "x", "--resume", "y")]
    [InlineData(64, "in the fidelity 'tlb'", "run", "hello", "--record", "x", "--fidelity", "fast")]
    [InlineData(65, "/no/such/trace: there is no such file", "sweep", "--trace", "/no/such/trace")]
    [InlineData(65, "is a directory", "sweep", "--trace", "/tmp")]
    [InlineData(65, "line 1: 'r 0x1000 8' is no line of lackey's", "sweep", "--trace", "TRACE", "--trace-format", "lackey")]
    [InlineData(65, "byte 0: the last record has 11 of 64 bytes", "sweep", "--trace", "TRACE", "--trace-format", "champsim")]
    [InlineData(65, "is no recorded translation stream", "sweep", "--trace", "TRACE", "--trace-format", "mmu86")]
    [InlineData(74, "--record: /dev/full cannot be written: no space is left", "sweep", "hello", "--record", "/dev/full")]
    [InlineData(74, "--record: /no/such/folder/file cannot be written", "run", "hello", "--record", "/no/such/folder/file")]
    public void Mistake_IsOneSentenceAndAStatus(int status, string expected, params string[] words)
    {
        using var trace = new TemporaryFile("r 0x1000 8\n");

        ProcessResult result = Mmu86Process.RunInside([.. words.Select(word => word == "TRACE" ? trace.Path : word), "--quiet"]);

        Assert.Equal(status, result.Status);
        string line = Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => line.StartsWith("mmu86: ", StringComparison.Ordinal));
        Assert.Contains(expected, line);
    }

    [Theory]
    [InlineData("--machine", "skylake")]
    [InlineData("--paging", "nested")]
    [InlineData("--seed", "2")]
    [InlineData("--memory", "2G")]
    public void OptionOfTheRun_WithARecordedStream_IsRefused(string option, string value)
    {
        using var recorded = new TemporaryFile();
        Mmu86Process.RunInside("run", "hello", "--record", recorded.Path, "--quiet");

        ProcessResult result = Mmu86Process.RunInside("sweep", "--trace", recorded.Path, option, value);

        Assert.Equal(64, result.Status);
        Assert.StartsWith($"mmu86: {option}: a recorded stream has the machine", result.Error);
    }

    [Fact]
    public void RecordingThatFails_LeavesWhatWasThere()
    {
        using var kept = new TemporaryFile("kept");
        using var bad = new TemporaryFile("r 0x1000 8\nnonsense\n");

        ProcessResult result = Mmu86Process.RunInside("sweep", "--trace", bad.Path, "--record", kept.Path, "--quiet");

        Assert.Equal(65, result.Status);
        Assert.Equal("kept", File.ReadAllText(kept.Path));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(kept.Path)!, $".mmu86-{Environment.ProcessId}--record.partial"));
    }

    private static Process Start(params string[] words)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true, StandardInputEncoding = Encoding.ASCII };
        foreach (string word in (string[])[Path.Combine(AppContext.BaseDirectory, "mmu86.dll"), .. words])
            start.ArgumentList.Add(word);
        return Process.Start(start)!;
    }
}
