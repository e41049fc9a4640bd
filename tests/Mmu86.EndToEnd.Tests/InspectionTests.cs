using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

public sealed class InspectionTests
{
    [Theory]
    [InlineData("inspect gups")]
    [InlineData("inspect gups --json -")]
    public void Inspect_WhoseReaderLeaves_EndsAtOnce(string words)
    {
        using Process process = Mmu86Process.Start(new Dictionary<string, string>(), words.Split(' '));
        Assert.NotEqual("", process.StandardOutput.ReadLine());
        process.StandardOutput.Close();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.Equal((74, "mmu86: standard output cannot be written\n"), (process.ExitCode, process.StandardError.ReadToEnd()));
    }

    [Fact]
    public void Explain_NestedWalkWithoutCaches_Has24ReferencesAndEndsWithTheHostFrame()
    {
        ProcessResult result = Mmu86Process.RunInside(
            "explain", "pointer-chase", "--at", "entry", "--address", "rsp", "--paging", "nested", "--machine", "uncached");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.StartsWith("pointer-chase on uncached, nested paging, before instruction #0 at L:0x", result.Output);
        Assert.Contains("  24  EPT PTE ", result.Output);
        Assert.Equal(20, result.Output.Split('\n').Count(line => line.StartsWith("    ") && line.Contains(" EPT ") && line.EndsWith("[read from memory]")));
        Assert.Matches(@"in the host, frame 0x[0-9a-f]+\.\n", result.Output);
        Assert.EndsWith("24 references to memory.\n", result.Output);
    }

    [Fact]
    public void Explain_NestedPageTables_NamesThemAndTheirFlagsAsAmdDoes()
    {
        ProcessResult result = Mmu86Process.RunInside(
            "explain", "pointer-chase", "--at", "entry", "--address", "rsp", "--paging", "nested", "--machine", "uncached", "--set", "mmu.nested.format=npt");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.DoesNotContain("EPT", result.Output);
        Assert.Matches(@"\nnCR3 is 0x([0-9a-f]+): guest-physical addresses go through nested page tables from H:0x\1 on\.\n", result.Output);
        Assert.Equal(5, result.Output.Split("\n  Nested paging translates G:0x").Length - 1);
        string[] steps = [.. result.Output.Split('\n').Where(line => line.StartsWith("    ") && line.Contains(" nested P"))];
        Assert.Equal(20, steps.Length);
        Assert.All(steps, line => Assert.Matches(@"nested P(ML4E|DPTE|DE|TE) +H:0x[0-9a-f]+  0x[0-9a-f]{16}  P R/W U/S ", line));
        Assert.Matches(@"  24  nested PTE    H:", result.Output);
        Assert.Contains(", nested page 4 KiB", result.Output);
        Assert.Contains("; nested RWX; memory type WB.", result.Output);
        Assert.All(steps, line => Assert.Contains("(entry in WB memory)", line));
    }

    [Fact]
    public void Inspect_NestedPageTables_SaysNptInEveryStepAndRight()
    {
        ProcessResult result = Mmu86Process.RunInside(
            "inspect", "pointer-chase", "10", "10", "--paging", "nested", "--set", "mmu.nested.format=npt", "--count", "50", "--json", "-");
        Assert.Equal((0, ""), (result.Status, result.Error));
        JsonNode[] lines = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
        Assert.Equal(["guest", "npt"], lines.SelectMany(line => line["walk"]!.AsArray()).Select(step => (string?)step!["dim"]).Distinct().Order());
        string[] rights = [.. lines.Where(line => line["rights"] is not null).SelectMany(line => line["rights"]!.AsArray()).Select(right => (string)right!).Distinct()];
        Assert.Contains("nptRead", rights);
        Assert.DoesNotContain(rights, right => right.StartsWith("ept", StringComparison.Ordinal));
        Assert.Contains(lines, line => (string?)line["exit"]?["kind"] == "nestedPageFault");
    }

    [Fact]
    public void Inspect_RealModeCodeInASegment_IsReadAtItsLinearAddressWithSixteenBits()
    {
        // jmp 0x07C0:0x0005; mov ax, 0x1234; mov ds, ax; mov cx, [0x10]; cli; hlt
        byte[] sector = new byte[512];
        ((ReadOnlySpan<byte>)[0xEA, 0x05, 0x00, 0xC0, 0x07, 0xB8, 0x34, 0x12, 0x8E, 0xD8, 0x8B, 0x0E, 0x10, 0x00, 0xFA, 0xF4]).CopyTo(sector);
        (sector[510], sector[511]) = (0x55, 0xAA);
        using var file = new TemporaryFile(sector);

        ProcessResult result = Mmu86Process.RunInside("inspect", file.Path, "--from", "0x7c05", "--count", "3", "--json", "-");

        Assert.Equal((0, ""), (result.Status, result.Error));
        JsonNode[] lines = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
        Assert.Equal(
            [
                "0x7c05 mov ax, 0x1234: fetch 3 0x7c05",
                "0x7c08 mov ds, ax: fetch 2 0x7c08",
                "0x7c0a mov cx, [0x10]: fetch 4 0x7c0a",
                "0x7c0a mov cx, [0x10]: read 2 0x12350",
            ],
            lines.Select(line => $"{line["rip"]} {line["asm"]}: {line["access"]!["kind"]} {line["access"]!["size"]} {line["linear"]}"));
    }

    [Theory]
    [InlineData("native", "4k", "4k", 4)]
    [InlineData("native", "2m", "4k", 3)]
    [InlineData("nested", "4k", "4k", 24)]
    [InlineData("nested", "4k", "2m", 19)]
    [InlineData("nested", "2m", "4k", 19)]
    [InlineData("nested", "2m", "2m", 15)]
    public void Explain_AsJson_ListsEveryReference(string paging, string guestPage, string hostPage, int references)
    {
        ProcessResult result = Mmu86Process.RunInside(
            "explain", "pointer-chase", "--at", "entry", "--address", "rsp", "--paging", paging, "--guest-page", guestPage, "--host-page", hostPage, "--machine", "uncached",
            "--json", "-");
        Assert.Equal((0, ""), (result.Status, result.Error));
        JsonNode record = JsonNode.Parse(result.Output)!;
        Assert.Equal(references, record["walk"]!.AsArray().Count);
        Assert.All(record["walk"]!.AsArray(), step => Assert.Equal("memory", (string?)step!["source"]));
        Assert.Equal(guestPage, (string?)record["guestPageSize"]);
    }

    [Theory]
    [InlineData("tlb")]
    [InlineData("cycles")]
    public void Explain_WalkThatFindsItsOwnFills_IsThatOfInspect(string fidelity)
    {
        string[] guest = ["pointer-chase", "10", "10", "--paging", "nested", "--fidelity", fidelity, "--json", "-"];
        string[] inspected = Mmu86Process.RunInside(["inspect", .. guest, "--from", "#4", "--count", "1"]).Output.TrimEnd('\n').Split('\n');
        JsonNode push = JsonNode.Parse(inspected[1])!;

        JsonNode explained = JsonNode.Parse(Mmu86Process.RunInside(["explain", .. guest, "--at", "#4", "--address", "rsp-8", "--access", "write"]).Output)!;

        Assert.Equal("write walk", $"{push["access"]!["kind"]} {push["hit"]}");
        string[] sources = [.. push["walk"]!.AsArray().Select(step => (string)step!["source"]!)];
        Assert.Equal((9, 4, 1), (sources.Count(source => source == "memory"), sources.Count(source => source.StartsWith("eptPd", StringComparison.Ordinal)), sources.Count(source => source == "nestedTlb")));
        push.AsObject().Remove("access");
        explained.AsObject().Remove("access");
        Assert.Equal(push.ToJsonString(), explained.ToJsonString());
    }

    [Fact]
    public void Explain_UnmappedAddress_EndsWithTheFault()
    {
        ProcessResult result = Mmu86Process.RunInside("explain", "hello", "--at", "entry", "--address", "0x10", "--access", "write");
        Assert.Equal(0, result.Status);
        Assert.EndsWith("It ends in a fault: #PF with error code 0x6 at L:0x10: a user write met an entry that is not present.\n", result.Output);
    }

    [Fact]
    public void Explain_AfterSomeInstructions_SeesTheRegistersThere()
    {
        ProcessResult result = Mmu86Process.RunInside("explain", "hello", "--at", "#1", "--address", "rip", "--access", "fetch");
        Assert.Equal(0, result.Status);
        Assert.Contains("The first-level TLB has the translation", result.Output);
    }

    [Theory]
    [InlineData("explain hello --address rsp", 64, "mmu86: --at is missing")]
    [InlineData("explain hello --at entry", 64, "mmu86: --address is missing")]
    [InlineData("explain hello --at entry --address rps", 64, "mmu86: there is no register or symbol 'rps'; did you mean 'rsp'?\n")]
    [InlineData("explain hello --at nowhere --address rsp", 64, "mmu86: there is no register or symbol 'nowhere'\n")]
    [InlineData("explain hello --at #x --address rsp", 64, "mmu86: --at: '#x' is not the number of an instruction, such as #1000\n")]
    [InlineData("explain hello --at entry --address 7fff", 64, "mmu86: --address: '7fff' is not a decimal number; hex begins with 0x: '0x7fff'\n")]
    [InlineData("explain hello --at #5 --address rsp --max-instructions 3", 64, "mmu86: #5 lies behind --max-instructions 3\n")]
    [InlineData("explain hello --at entry --address rsp --fidelity fast", 64, "mmu86: --fidelity fast has no modelled TLBs that explain could show; use tlb\n")]
    [InlineData("inspect hello --html x.html", 69, "mmu86: --html is not available yet\n")]
    [InlineData("inspect", 64, "mmu86: PROGRAM is missing; see 'mmu86 inspect --help'\n")]
    public void WrongCommandLine_EndsWithItsStatusAndOneSentence(string words, int status, string error)
    {
        ProcessResult result = Mmu86Process.RunInside(words.Split(' '));
        Assert.Equal((status, ""), (result.Status, result.Output));
        Assert.StartsWith(error, result.Error);
    }

    [Fact]
    public void Inspect_AsJsonLines_IsOneLineForEachAccess()
    {
        ProcessResult result = Mmu86Process.RunInside("inspect", "hello", "--count", "3", "--json", "-");
        Assert.Equal((0, ""), (result.Status, result.Error));
        JsonNode[] lines = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
        Assert.Equal("0 fetch 0|1 fetch 0|2 fetch 0|2 write 1", string.Join('|', lines.Select(line => $"{line["n"]} {line["access"]!["kind"]} {line["access"]!["index"]}")));
        Assert.All(lines, line => Assert.Equal("mmu86.translation/1", (string?)line["schema"]));
        Assert.Equal("walk l1 l1 walk", string.Join(' ', lines.Select(line => line["hit"])));
        Assert.Equal("8", lines[3]["access"]!["size"]!.ToJsonString());
    }

    [Fact]
    public void Inspect_FromLater_BeginsThereWithTheStateOfTheRun()
    {
        ProcessResult result = Mmu86Process.RunInside("inspect", "hello", "--from", "#1", "--count", "1", "--quiet");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.StartsWith("#1 ", result.Output);
        Assert.Contains("hit in L1", result.Output);
        Assert.Equal(2, result.Output.Count(c => c == '\n'));
    }

    [Fact]
    public void Inspect_MaxInstructions_StopsThereWithStatus75()
    {
        ProcessResult result = Mmu86Process.RunInside("inspect", "hello", "--max-instructions", "2");
        Assert.Equal((75, "mmu86: hello: --max-instructions 2 was reached\n"), (result.Status, result.Error));
        Assert.Equal(4, result.Output.Count(c => c == '\n'));
    }

    [Fact]
    public void Inspect_NestedFirstTouch_ShowsTheExitAndTheRetry()
    {
        ProcessResult result = Mmu86Process.RunInside("inspect", "pointer-chase", "10", "10", "--paging", "nested", "--count", "200", "--json", "-");
        Assert.Equal((0, ""), (result.Status, result.Error));
        JsonNode[] lines = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
        int refused = Array.FindIndex(lines, line => line["exit"] is not null);
        Assert.True(refused > 0);
        JsonNode exit = lines[refused]["exit"]!;
        Assert.Equal("eptViolation", (string?)exit["kind"]);
        JsonNode retry = lines.Skip(refused + 1).First(line => (string?)line["linear"] == (string?)lines[refused]["linear"]);
        Assert.NotNull(retry["hostPhysical"]);
        Assert.Equal((long)lines[refused]["n"]!, (long)retry["n"]!);
    }
}
