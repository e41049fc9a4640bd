using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

public sealed class RunTests
{
    private const string Hello = "Hello from Mmu86\n";

    [Fact]
    public void Run_Hello_IsItsOutputAndAReportOnStandardError()
    {
        ProcessResult result = Mmu86Process.Run("run", "hello");
        Assert.Equal((0, Hello), (result.Status, result.Output));
        Assert.Contains("hello on skylake, native paging, fidelity tlb", result.Error);
        Assert.Contains("instructions", result.Error);
        Assert.DoesNotContain('\u001b', result.Error);
        Assert.DoesNotContain(result.Error.Split('\n'), line => line.EndsWith(' '));
    }

    [Fact]
    public void Run_HelloQuiet_IsItsOutputAlone() =>
        Assert.Equal(new ProcessResult(0, Hello, ""), Mmu86Process.Run("run", "hello", "--quiet"));

    [Fact]
    public void Run_JsonToStandardOutput_MovesTheGuestToStandardError()
    {
        ProcessResult result = Mmu86Process.Run("run", "hello", "--quiet", "--json", "-");
        Assert.Equal((0, Hello), (result.Status, result.Error));
        Assert.Equal("mmu86.run/1", (string?)JsonNode.Parse(result.Output)!["schema"]);
    }

    [Fact]
    public void Run_JsonToAFile_ReplacesWhatWasThere()
    {
        using var file = new TemporaryFile(new string('x', 100_000));
        ProcessResult result = Mmu86Process.RunInside("run", "hello", "--json", file.Path, "--quiet");
        Assert.Equal(new ProcessResult(0, Hello, ""), result);
        Assert.Equal("hello", (string?)JsonNode.Parse(File.ReadAllText(file.Path))!["program"]!["name"]);
    }

    [Fact]
    public void Run_JsonOfARunThatNeverBegan_LeavesNoFile()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        using var image = new TemporaryFile("\u007fELF, but not for long");
        Assert.Equal(65, Mmu86Process.RunInside("run", image.Path, "--json", path).Status);
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("sieve 20000")]
    [InlineData("pointer-chase 300 5000 --paging nested")]
    [InlineData("gups 64 2000 --set mmu.l1Data.arrays[l1d-4k].replacement=random --seed 7")]
    public void Run_Twice_ReportsDifferInHostOnly(string words)
    {
        JsonObject first = Report(words);
        JsonObject second = Report(words);
        Assert.True(first.Remove("host"));
        Assert.True(second.Remove("host"));
        Assert.Equal(first.ToJsonString(), second.ToJsonString());
    }

    [Fact]
    public void Run_Sieve_ReportKeepsTheSumsOfTheContract()
    {
        JsonObject report = Report("sieve 20000");
        JsonNode tlb = report["tlb"]!;
        foreach (string level in (string[])["l1i", "l1d", "l2"])
        {
            JsonNode counts = tlb[level]!;
            Assert.Equal(Count(counts, "lookups"), Count(counts, "hits") + Count(counts, "misses"));
            Assert.Equal(Count(counts, "lookups"), counts["bySize"]!.AsObject().Sum(size => Count(size.Value!, "lookups")) + Count(counts, "unresolved"));
        }

        JsonNode walks = report["walks"]!;
        Assert.Equal(Count(walks, "references"), Count(walks, "guestReferences") + Count(walks, "eptReferences"));
        Assert.Equal(Count(walks, "count"), walks["byReason"]!.AsObject().Sum(reason => (long)reason.Value!));
        Assert.Equal(Count(report["accesses"]!, "fetches"), Count(tlb["l1i"]!, "lookups"));
        Assert.True(Count(report["measured"]!, "instructions") is var measured && measured > 0 && measured < Count(report, "instructions"));
        Assert.True(Count(report, "cycles") > Count(report, "instructions"));
    }

    [Fact]
    public void Run_Fast_CountsTheSameAndLeavesTheModelOut()
    {
        JsonObject fast = Report("sieve 20000 --fidelity fast");
        JsonObject exact = Report("sieve 20000");
        Assert.Null(fast["tlb"]);
        Assert.Null(fast["walks"]);
        Assert.Null(fast["cycles"]);
        Assert.Null(fast["measured"]!["tlb"]);
        foreach (string key in (string[])["instructions", "repIterations", "accesses", "faults"])
            Assert.Equal(exact[key]!.ToJsonString(), fast[key]!.ToJsonString());
    }

    [Theory]
    [InlineData("4k", "4k", 24)]
    [InlineData("4k", "2m", 19)]
    [InlineData("2m", "4k", 19)]
    [InlineData("2m", "2m", 15)]
    public void Run_NestedUncached_EveryWalkOfTheMeasuredPartHasAllReferences(string guestPage, string hostPage, int references)
    {
        JsonNode walks = Report($"pointer-chase 20 1000 --paging nested --machine uncached --guest-page {guestPage} --host-page {hostPage}")["measured"]!["walks"]!;
        Assert.True(Count(walks, "count") >= 1000);
        Assert.Equal(references * Count(walks, "count"), Count(walks, "references"));
    }

    [Theory]
    [InlineData("4k", "4k", 24)]
    [InlineData("4k", "2m", 19)]
    [InlineData("2m", "2m", 15)]
    public void Run_NestedPageTables_WalkAsManyReferencesAsEptAndFaultByTheirOwnName(string guestPage, string hostPage, int references)
    {
        string words = $"pointer-chase 20 1000 --paging nested --machine uncached --guest-page {guestPage} --host-page {hostPage}";
        JsonObject npt = Report($"{words} --set mmu.nested.format=npt");
        JsonObject ept = Report(words);

        JsonNode walks = npt["measured"]!["walks"]!;
        Assert.True(Count(walks, "count") >= 1000);
        Assert.Equal(references * Count(walks, "count"), Count(walks, "references"));
        Assert.Equal("npt", (string?)npt["machine"]!["mmu"]!["nested"]!["format"]);
        Assert.True(Count(npt["faults"]!, "nestedPageFaults") > 0 || hostPage != "4k"); // the loader has touched every large page
        Assert.Null(npt["faults"]!["eptViolations"]);
        Assert.Equal(Count(ept["faults"]!, "eptViolations"), Count(npt["faults"]!, "nestedPageFaults"));
        Assert.Equal(ept["instructions"]!.ToJsonString(), npt["instructions"]!.ToJsonString());
        Assert.Equal(ept["memory"]!.ToJsonString(), npt["memory"]!.ToJsonString());
    }

    [Fact]
    public void Run_NestedPageTables_AsAProcess_IsTheGuestsOutputAndAReportInAmdsWords()
    {
        ProcessResult result = Mmu86Process.Run("run", "hello", "--paging", "nested", "--set", "mmu.nested.format=npt");
        Assert.Equal((0, Hello), (result.Status, result.Output));
        Assert.Contains("nested page faults", result.Error);
        Assert.Contains("nested PDE cache hits", result.Error);
        Assert.DoesNotContain("EPT", result.Error);
    }

    [Fact]
    public void Run_MaxInstructions_StopsExactlyThere()
    {
        ProcessResult result = Mmu86Process.RunInside("run", "sieve", "--max-instructions", "12345", "--quiet", "--json", "-");
        Assert.Equal((75, "mmu86: sieve: --max-instructions 12345 was reached\n"), (result.Status, result.Error));
        JsonNode report = JsonNode.Parse(result.Output)!;
        Assert.Equal(12345, Count(report, "instructions"));
        Assert.Equal("""{"kind":"limit","status":75,"detail":"--max-instructions 12345 was reached"}""", report["exit"]!.ToJsonString());
    }

    [Fact]
    public void Run_MaxInstructionsZero_RunsNothing()
    {
        ProcessResult result = Mmu86Process.RunInside("run", "hello", "--max-instructions", "0", "--quiet", "--json", "-");
        Assert.Equal((75, 0L), (result.Status, Count(JsonNode.Parse(result.Output)!, "instructions")));
    }

    [Fact]
    public void Run_Set_IsInTheReportsMachineAndInItsCounts()
    {
        JsonObject small = Report("stride 64 50 --set mmu.l1Data.arrays[l1d-4k].sets=1 --set mmu.l1Data.arrays[l1d-4k].ways=2");
        JsonObject large = Report("stride 64 50");
        Assert.Equal(2, Count(small["machine"]!["mmu"]!["l1Data"]!["arrays"]![0]!, "ways"));
        Assert.True(Count(small["tlb"]!["l1d"]!, "misses") > 10 * Count(large["tlb"]!["l1d"]!, "misses"));
    }

    [Theory]
    [InlineData(new byte[] { 0x0F, 0x0B }, 71, "#UD at 0x100000")] // ud2, no IDT
    [InlineData(new byte[] { 0xFA, 0xF4 }, 0, "")] // cli; hlt
    [InlineData(new byte[] { 0xEB, 0xFE }, 75, "--max-instructions 1000 was reached")] // jmp $
    public void Run_FlatBinary_EndsByItsKind(byte[] image, int status, string error)
    {
        using var file = new TemporaryFile(image);
        ProcessResult result = Mmu86Process.RunInside("run", file.Path, "--quiet", "--max-instructions", "1000");
        Assert.Equal(status, result.Status);
        if (error.Length == 0)
            Assert.Equal("", result.Error);
        else if (status == 75)
            Assert.Equal($"mmu86: {file.Path}: {error}\n", result.Error);
        else
            Assert.StartsWith($"mmu86: {file.Path}: triple fault at 0x100000", result.Error);
    }

    [Theory]
    [InlineData("", 65)]
    [InlineData("\u007fELF", 65)]
    [InlineData("\u007fELF\u0001\u0001\u0001", 65)]
    public void Run_BadFile_IsRefusedInOneSentence(string content, int status)
    {
        using var file = new TemporaryFile(content);
        ProcessResult result = Mmu86Process.RunInside("run", file.Path);
        Assert.Equal((status, ""), (result.Status, result.Output));
        Assert.StartsWith("mmu86: ", result.Error);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
    }

    [Fact]
    public void Run_OptionsAnywhereBeforeTheDashes_AreOurs()
    {
        JsonObject report = Report("--machine uncached sieve --seed 5 1000 --paging nested");
        Assert.Equal("uncached nested 5 1000", $"{report["machine"]!["name"]} {report["paging"]} {report["seed"]} {report["program"]!["arguments"]![0]}");
    }

    [Fact]
    public void Run_WordsBehindTheDashes_AreTheGuests()
    {
        ProcessResult result = Mmu86Process.RunInside("run", "sieve", "--quiet", "--", "--quiet");
        Assert.Equal(64, result.Status);
        Assert.Contains("--quiet", result.Error);
    }

    [SkippableFact]
    public void Run_StandardOutputThatIsFull_EndsWith74()
    {
        string shell = TestTiers.RequireProgram("sh");
        string program = Path.Combine(AppContext.BaseDirectory, "mmu86.dll");
        var start = new ProcessStartInfo(shell, ["-c", $"dotnet '{program}' run hello --quiet > /dev/full"]) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal((74, "mmu86: standard output cannot be written\n"), (process.ExitCode, error));
    }

    [SkippableFact]
    public void Run_Hello_TakesHalfASecondOfCpuAtMost()
    {
        string shell = TestTiers.RequireProgram("sh");
        string program = Path.Combine(AppContext.BaseDirectory, "mmu86.dll");
        double best = Enumerable.Range(0, 4).Min(_ =>
        {
            var start = new ProcessStartInfo(shell, ["-c", $"dotnet '{program}' run hello 2> /dev/null > /dev/null; times"]) { RedirectStandardOutput = true };
            using Process process = Process.Start(start)!;
            string[] times = process.StandardOutput.ReadToEnd().Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
            process.WaitForExit();
            return Seconds(times[2]) + Seconds(times[3]); // user and system time of the shell's children
        });
        Assert.True(best < 0.5, $"{best} s");
    }

    // 0m0.123s
    private static double Seconds(string text)
    {
        string[] parts = text.TrimEnd('s').Split('m');
        return (60 * double.Parse(parts[0], CultureInfo.InvariantCulture)) + double.Parse(parts[1], CultureInfo.InvariantCulture);
    }

    private static JsonObject Report(string words)
    {
        ProcessResult result = Mmu86Process.RunInside(["run", .. words.Split(' '), "--quiet", "--json", "-"]);
        Assert.True(result.Status is 0 or 1, result.Error);
        return JsonNode.Parse(result.Output)!.AsObject();
    }

    private static long Count(JsonNode node, string key) => (long)node[key]!;
}
