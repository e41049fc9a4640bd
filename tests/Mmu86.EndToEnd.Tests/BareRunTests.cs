using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Mmu86.GuestPrograms;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

public sealed class BareRunTests
{
    [Fact]
    public void Run_BareHello_IsTheSerialPortAndTheStatusOfItsDebugExit()
    {
        ProcessResult result = Mmu86Process.RunInside("run", "hello@bare", "--quiet");
        Assert.Equal(("Hello from Mmu86\n", ""), (result.Output, result.Error));
        Assert.Equal(1, result.Status & 1); // (code << 1) | 1
    }

    [Fact]
    public void Run_DebugExit_IsTheCodeDoubledPlusOne()
    {
        using var file = new TemporaryFile((byte[])[0xB0, 0x03, 0xE6, 0xF4]); // mov al, 3; out 0xf4, al
        Assert.Equal(new ProcessResult(7, "", ""), Mmu86Process.RunInside("run", file.Path, "--quiet"));
    }

    [Fact]
    public void Run_FileOfAMultibootKernel_IsRecognisedAndGetsItsCommandLine()
    {
        GuestProgram kernel = GuestCatalogue.Find("kernel-multiboot")!;
        var options = new GuestBuildOptions { Arguments = ["--quiet", "root=7"], MemoryBytes = 64UL << 20 };
        using var file = new TemporaryFile(kernel.Build(options));

        ProcessResult result = Mmu86Process.Run("run", file.Path, "--quiet", "--memory", "64M", "--", "--quiet", "root=7");

        Assert.Equal(new ProcessResult(1, kernel.ExpectedOutput(options), ""), result);
    }

    [Fact]
    public void Run_BundledMultibootKernel_GetsItsArgumentsAsCommandLine()
    {
        ProcessResult result = Mmu86Process.RunInside("run", "kernel-multiboot", "one", "--quiet", "--", "-2");

        Assert.Equal(1, result.Status);
        Assert.Equal(GuestCatalogue.Find("kernel-multiboot")!.ExpectedOutput(new GuestBuildOptions { Arguments = ["one", "-2"] }), result.Output);
    }

    [Fact]
    public void Run_BareSieveTwice_ReportsDifferInHostOnly()
    {
        JsonObject[] reports = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            ProcessResult result = Mmu86Process.RunInside("run", "sieve@bare", "20000", "--machine", "uncached", "--quiet", "--json", "-");
            JsonObject report = JsonNode.Parse(result.Output)!.AsObject();
            Assert.True(report.Remove("host"));
            return report;
        })];
        Assert.Equal(reports[0].ToJsonString(), reports[1].ToJsonString());
    }

    [Fact]
    public void Run_AccessesThatNobodyAnswers_AreInTheReport()
    {
        // mov eax, 0xC0000000; mov ecx, [rax]; mov [rax], ecx; in al, 0x77; cli; hlt
        using var image = new TemporaryFile((byte[])[0xB8, 0x00, 0x00, 0x00, 0xC0, 0x8B, 0x08, 0x89, 0x08, 0xE4, 0x77, 0xFA, 0xF4]);
        ProcessResult result = Mmu86Process.RunInside("run", image.Path, "--quiet", "--json", "-");
        Assert.Equal((0, ""), (result.Status, result.Error));
        const string Ports = """ "portAccesses":{"0x77":{"reads":1,"writes":0,"firstRip":"0x100009"}} """;
        const string Addresses = """ "mmioAccesses":{"0xc0000000":{"reads":1,"writes":1,"firstRip":"0x100005"}} """;
        Assert.Equal($$"""{"ports":{"0x77":1},"mmioReads":1,"mmioWrites":1,{{Ports.Trim()}},{{Addresses.Trim()}}}""", JsonNode.Parse(result.Output)!["unsupported"]!.ToJsonString());
    }

    [Fact]
    public void Run_RegistersThatDoNotExist_AreInTheReport()
    {
        // mov ecx, 0x3A; rdmsr, which faults with an empty IDT: the guest ends there
        using var image = new TemporaryFile((byte[])[0xB9, 0x3A, 0x00, 0x00, 0x00, 0x0F, 0x32]);
        using var report = new TemporaryFile();
        ProcessResult result = Mmu86Process.RunInside("run", image.Path, "--json", report.Path);
        Assert.Contains("\n model-specific registers that the processor does not have: 0x3a (1)\n", result.Error);
        Assert.Equal(
            """{"modelSpecificRegisters":{"0x3a":{"reads":1,"writes":0,"firstRip":"0x100005"}}}""",
            JsonNode.Parse(File.ReadAllText(report.Path))!["unsupported"]!.ToJsonString());
    }

    [Fact]
    public void Run_InitOfItself_EndsTheRunAsAReset()
    {
        // mov eax, 0xFEE00300; mov dword [rax], 0x44500 (INIT, self); jmp $
        using var image = new TemporaryFile((byte[])[0xB8, 0x00, 0x03, 0xE0, 0xFE, 0xC7, 0x00, 0x00, 0x45, 0x04, 0x00, 0xEB, 0xFE]);
        ProcessResult result = Mmu86Process.RunInside("run", image.Path, "--quiet", "--max-instructions", "1000");
        Assert.Equal((0, ""), (result.Status, result.Output));
        Assert.Contains("the guest reset the machine at 0x10000b", result.Error);
    }

    [Fact]
    public void Run_PostCodesAndDebugConsole_AreInTheReportAndOnStandardError()
    {
        // mov al, 0x11; out 0x80, al; mov al, 0x5A; out 0x80, al; mov al, 'd'; out 0xE9, al; mov dx, 0x402; out dx, al;
        // mov dx, 0x3F8; mov al, 's'; out dx, al; cli; hlt
        using var image = new TemporaryFile((byte[])
        [
            0xB0, 0x11, 0xE6, 0x80, 0xB0, 0x5A, 0xE6, 0x80, 0xB0, 0x64, 0xE6, 0xE9, 0x66, 0xBA, 0x02, 0x04, 0xEE,
            0x66, 0xBA, 0xF8, 0x03, 0xB0, 0x73, 0xEE, 0xFA, 0xF4,
        ]);
        using var report = new TemporaryFile();

        ProcessResult quiet = Mmu86Process.RunInside("run", image.Path, "--quiet", "--json", report.Path);
        ProcessResult shown = Mmu86Process.RunInside("run", image.Path);

        Assert.Equal(new ProcessResult(0, "s", "dd"), quiet);
        Assert.Equal("""{"lastPostCode":"0x5a"}""", JsonNode.Parse(File.ReadAllText(report.Path))!["devices"]!.ToJsonString());
        Assert.Contains("\n last POST code 0x5a\n", shown.Error);
    }

    [Fact]
    public void Run_ResetControlRegister_EndsTheRunAsAReset()
    {
        // mov dx, 0xCF9; mov al, 2; out dx, al; mov al, 6; out dx, al; jmp $
        using var image = new TemporaryFile((byte[])[0x66, 0xBA, 0xF9, 0x0C, 0xB0, 0x02, 0xEE, 0xB0, 0x06, 0xEE, 0xEB, 0xFE]);

        ProcessResult result = Mmu86Process.RunInside("run", image.Path, "--quiet");

        Assert.Equal((0, ""), (result.Status, result.Output));
        Assert.Contains("the guest reset the machine at 0x10000a", result.Error);
    }

    [SkippableTheory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void Run_Interrupted_EndsWithAReportOfThePartThatRan(string signal, int status)
    {
        string kill = TestTiers.RequireProgram("kill");
        using var report = new TemporaryFile();
        using var image = new TemporaryFile((byte[])[0x66, 0xBA, 0xF8, 0x03, 0xB0, 0x41, 0xEE, 0xEB, 0xFE]); // out 0x3f8, 'A'; jmp $
        using Process process = Mmu86Process.Start(new Dictionary<string, string>(), "run", image.Path, "--quiet", "--json", report.Path);
        Assert.Equal('A', process.StandardOutput.Read()); // it runs
        Process.Start(kill, [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.Equal(status, process.ExitCode);
        JsonNode exit = JsonNode.Parse(File.ReadAllText(report.Path))!["exit"]!;
        Assert.Equal($"limit {status} interrupted", $"{exit["kind"]} {exit["status"]} {exit["detail"]}");
    }
}
