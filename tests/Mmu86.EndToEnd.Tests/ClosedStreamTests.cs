using System.Diagnostics;
using System.Text.Json.Nodes;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary>A process that is started without standard output or standard error writes to nobody else's file instead.</summary>
public sealed class ClosedStreamTests
{
    [SkippableTheory]
    [InlineData("2>&-", 0, "Hello from Mmu86\n", "")]
    [InlineData(">&-", 74, "", "mmu86: standard output cannot be written\n")]
    [InlineData(">&- 2>&-", 74, "", "")]
    [InlineData("<&- 2>&-", 0, "Hello from Mmu86\n", "")]
    public void Run_WithStreamsClosed_EndsAsIfNobodyRead(string redirections, int status, string output, string error)
    {
        using var report = new TemporaryFile();

        ProcessResult result = RunInShell($"run hello --json {report.Path}", redirections);

        Assert.Equal(new ProcessResult(status, output, error), result);
        // The report is in its file and nothing else is.
        if (status == 0)
            Assert.Equal("mmu86.run/1", (string?)JsonNode.Parse(File.ReadAllText(report.Path))!["schema"]);
    }

    [SkippableTheory]
    [InlineData("run seive", 65)]
    [InlineData("run hello --memory 3", 64)]
    [InlineData("run hello --set mmu.l3=1", 64)]
    [InlineData("inspect hello --json - --count 2", 0)]
    [InlineData("run hello --max-instructions 2", 75)]
    public void AnyCommand_WithoutStandardError_KeepsItsStatus(string words, int status)
    {
        ProcessResult result = RunInShell(words, "2>&-");
        Assert.Equal((status, ""), (result.Status, result.Error));
    }

    private static ProcessResult RunInShell(string words, string redirections)
    {
        string shell = TestTiers.RequireProgram("sh");
        var start = new ProcessStartInfo(shell, ["-c", $"exec dotnet \"$0\" {words} {redirections}", Path.Combine(AppContext.BaseDirectory, "mmu86.dll")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        return new ProcessResult(process.ExitCode, output.Result, error.Result);
    }
}
