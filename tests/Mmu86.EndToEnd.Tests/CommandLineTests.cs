using System.Text.Json.Nodes;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("", 64, "mmu86: a command is missing; there are ")]
    [InlineData("lst", 64, "mmu86: unknown command 'lst'; did you mean 'list'?\n")]
    [InlineData("--verson", 64, "mmu86: unknown option '--verson'; did you mean '--version'?\n")]
    [InlineData("list", 64, "mmu86: KIND is missing; see 'mmu86 list --help'\n")]
    [InlineData("list guest", 64, "mmu86: there is no list of 'guest', only of guests, machines, policies, scenarios; did you mean 'guests'?\n")]
    [InlineData("list guests sieve", 64, "mmu86: 'sieve' is one word too many; see 'mmu86 list --help'\n")]
    [InlineData("list guests -- sieve", 64, "mmu86: 'mmu86 list' runs no guest that could take 'sieve'\n")]
    [InlineData("list -x guests", 64, "mmu86: unknown option '-x'; see 'mmu86 list --help'\n")]
    [InlineData("list @nosuchfile", 64, "mmu86: there is no list of '@nosuchfile'")]
    [InlineData("show guest seive", 65, "mmu86: there is no guest 'seive'; did you mean 'sieve'?\n")]
    [InlineData("show machine zen3", 69, "mmu86: machine zen3: is not supported yet; there are skylake, ideal, uncached\n")]
    [InlineData("show machine nosuch", 65, "mmu86: machine nosuch: is neither a preset (skylake, ideal, uncached) nor a file\n")]
    [InlineData("show machine skylake --set mmu.l1Data.arrays[0].ways=3", 64, "mmu86: --set: mmu.l1Data.arrays[0].ways: must be a power of two for treePlru, not 3\n")]
    [InlineData("show machine skylake --set mmu.l3=1", 64, "mmu86: --set: mmu.l3: no value of this name; did you mean 'mmu.l2'?\n")]
    [InlineData("sweep sieve --grid lru", 69, "mmu86: the command 'sweep' is not available yet\n")]
    [InlineData("vms noisy-neighbour", 69, "mmu86: the command 'vms' is not available yet\n")]
    [InlineData("boot vmlinuz -- quiet", 69, "mmu86: the command 'boot' is not available yet\n")]
    [InlineData("serve", 69, "mmu86: the command 'serve' is not available yet\n")]
    public void WrongCommandLine_EndsWithItsStatusAndOneSentence(string words, int status, string error)
    {
        ProcessResult result = Mmu86Process.Run(words.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(status, result.Status);
        Assert.StartsWith(error, result.Error);
        Assert.Equal("", result.Output);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("list --help")]
    [InlineData("show --help")]
    [InlineData("show machine --help")]
    [InlineData("show guest -h")]
    [InlineData("sweep --help")]
    public void Help_EveryCommand_IsOnStandardOutput(string words)
    {
        ProcessResult result = Mmu86Process.Run(words.Split(' '));
        Assert.Equal(0, result.Status);
        Assert.Contains("Usage:", result.Output);
        Assert.DoesNotContain('\u001b', result.Output);
        Assert.Equal("", result.Error);
    }

    [Fact]
    public void Version_IsOneLine()
    {
        ProcessResult result = Mmu86Process.Run("--version");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", result.Output);
    }

    [Fact]
    public void List_Guests_IsOneLineEach()
    {
        ProcessResult result = Mmu86Process.Run("list", "guests");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Contains(result.Output.Split('\n'), line => line.StartsWith("pointer-chase [PAGES [STEPS]] "));
    }

    [Fact]
    public void List_Scenarios_IsEmptyAndSaysSo()
    {
        ProcessResult result = Mmu86Process.Run("list", "scenarios");
        Assert.Equal((0, "", "mmu86: there are no scenarios yet\n"), (result.Status, result.Output, result.Error));
    }

    [Fact]
    public void ShowMachine_OfAFileThatItPrinted_PrintsItAgain()
    {
        string printed = Mmu86Process.Run("show", "machine", "skylake").Output;
        using var file = new TemporaryFile(printed);
        ProcessResult again = Mmu86Process.Run("show", "machine", file.Path);
        Assert.Equal((0, "", printed), (again.Status, again.Error, again.Output));
    }

    [Fact]
    public void ShowMachine_FileWithSeveralErrors_NamesThemAll()
    {
        JsonNode machine = JsonNode.Parse(Mmu86Process.Run("show", "machine", "skylake").Output)!;
        machine["mmu"]!["l2"]!["arrays"]![0]!["sets"] = -1;
        machine["cpuid"]!["physicalAddressBits"] = 60;
        using var file = new TemporaryFile(machine.ToJsonString());
        ProcessResult result = Mmu86Process.Run("show", "machine", file.Path);
        Assert.Equal(65, result.Status);
        Assert.Equal(
            $"mmu86: machine file {file.Path}: cpuid.physicalAddressBits: must be 36 to 52, not 60\n" +
            $"mmu86: machine file {file.Path}: mmu.l2.arrays[0].sets: must be 1 to 65536, not -1\n",
            result.Error);
    }
}
