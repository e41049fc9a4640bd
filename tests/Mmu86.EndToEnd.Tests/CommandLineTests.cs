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
    [InlineData("show machine zen9", 65, "mmu86: machine zen9: is neither a preset nor a file; did you mean 'zen1'?\n")]
    [InlineData("show machine nosuch", 65, "mmu86: machine nosuch: is neither a preset nor a file; 'list machines' shows the presets\n")]
    [InlineData("show machine skylake --set mmu.l1Data.arrays[0].ways=3", 64, "mmu86: --set: mmu.l1Data.arrays[0].ways: must be a power of two for treePlru, not 3\n")]
    [InlineData("show machine skylake --set mmu.l3=1", 64, "mmu86: --set: mmu.l3: no value of this name; 'mmu' has l1Instruction, l1Data, l2, structureCaches, nested, latencies, lookUpEveryAccess\n")]
    [InlineData("show machine skylake --set mmu.l1Dat=1", 64, "mmu86: --set: mmu.l1Dat: no value of this name; did you mean 'mmu.l1Data'?\n")]
    [InlineData("show machine ideal --set mmu.prefetch.degree=2", 64, "mmu86: --set: mmu.prefetch.degree: this machine has no 'mmu.prefetch'; give all of it: mmu.prefetch={\"degree\":...} with kind, degree, tableEntries\n")]
    [InlineData("run", 64, "mmu86: PROGRAM is missing; see 'mmu86 run --help'\n")]
    [InlineData("run seive", 65, "mmu86: there is no guest and no file 'seive'; did you mean 'sieve'?\n")]
    [InlineData("run ./nosuch", 65, "mmu86: there is no file ./nosuch\n")]
    [InlineData("run /", 65, "mmu86: / is a directory\n")]
    [InlineData("run sieve -x", 64, "mmu86: unknown option '-x'; a word for the guest goes after '--': mmu86 run PROGRAM -- -x\n")]
    [InlineData("run -5 sieve", 64, "mmu86: unknown option '-5'; a word for the guest goes after '--': mmu86 run PROGRAM -- -5\n")]
    [InlineData("run sieve --machin skylake", 64, "mmu86: unknown option '--machin'; did you mean '--machine'? a word for the guest goes after '--': mmu86 run PROGRAM -- --machin\n")]
    [InlineData("run sieve abc", 64, "mmu86: ")]
    [InlineData("run sieve --memory 12Q", 64, "mmu86: --memory: '12Q' is not a size; sizes look like 64M or 1G\n")]
    [InlineData("run sieve --memory 4K", 64, "mmu86: --memory: '4K' must be a multiple of 4K from 1M to 1T\n")]
    [InlineData("run sieve --memory 99999999999999999999G", 64, "mmu86: --memory: '99999999999999999999G' is not a size; sizes look like 64M or 1G\n")]
    [InlineData("run sieve --memory 1T", 64, "mmu86: --memory: 1024G are more than the 39 physical-address bits of machine skylake reach\n")]
    [InlineData("run sieve --seed x", 64, "mmu86: --seed: 'x' is not a number from 0 to 2^64-1\n")]
    [InlineData("run sieve --seed -1", 64, "mmu86: --seed: '-1' is not a number from 0 to 2^64-1\n")]
    [InlineData("run sieve --max-instructions", 64, "mmu86: ")]
    [InlineData("run sieve --json --quiet", 64, "mmu86: --json: '--quiet' is an option, not a value; see 'mmu86 run --help'\n")]
    [InlineData("--quiet --memory=4K run sieve", 64, "mmu86: --memory: '4K' must be a multiple of 4K from 1M to 1T\n")]
    [InlineData("--machine run run sieve", 65, "mmu86: machine run: is neither a preset")]
    [InlineData("--quiet list guests", 64, "mmu86: unknown option '--quiet'; see 'mmu86 list --help'\n")]
    [InlineData("--quiet", 64, "mmu86: unknown option '--quiet'")]
    [InlineData("run sieve --paging nestd", 64, "mmu86: --paging: 'nestd' is none of native, nested, shadow; did you mean 'nested'?\n")]
    [InlineData("inspect sieve --paging shadow", 69, "mmu86: --paging shadow: inspect does not show shadow tables yet; 'run' has them\n")]
    [InlineData("explain sieve --paging shadow --at entry --address rsp", 69, "mmu86: --paging shadow: explain does not show shadow tables yet; 'run' has them\n")]
    [InlineData("sweep sieve --paging native,shadow", 69, "mmu86: --paging shadow: sweeps are of native and nested paging; 'run' has shadow tables\n")]
    [InlineData("run sieve --classify --paging shadow", 69, "mmu86: --paging shadow: what a guest does under shadow tables is neither recorded nor classified yet\n")]
    [InlineData("run sieve --fidelity fast --set clock.counts=cycles", 64, "mmu86: --fidelity fast: clock.counts: is 'cycles', and fast has none; use tlb or cycles\n")]
    [InlineData("run sieve --classify --fidelity fast", 64, "mmu86: --classify: misses are classified in the fidelity 'tlb'\n")]
    [InlineData("run sieve --classify --fidelity cycles", 64, "mmu86: --classify: misses are classified in the fidelity 'tlb'\n")]
    [InlineData("run sieve --format rom", 65, "mmu86: A ROM has 64, 128 or 256 KiB; ")]
    [InlineData("run sieve --machine hasswell", 65, "mmu86: machine hasswell: is neither a preset nor a file; did you mean 'haswell'?\n")]
    [InlineData("run sieve --guest-page 8k", 64, "mmu86: --guest-page: '8k' is none of 4k, 2m, 1g\n")]
    [InlineData("run sieve --paging nested --host-page 1g --set mmu.nested.largestPage=2m", 64, "mmu86: --host-page: nested tables of machine skylake map pages of 2m at most (mmu.nested.largestPage)\n")]
    [InlineData("run sieve --paging nested --host-page 2m --set mmu.nested.largestPage=4k", 64, "mmu86: --host-page: nested tables of machine skylake map pages of 4k at most (mmu.nested.largestPage)\n")]
    [InlineData("run sieve --set mmu.l2=5", 64, "mmu86: --set: mmu.l2: must be an object, not 5\n")]
    [InlineData("run sieve --entry 0x1000", 64, "mmu86: --entry: sieve is no flat binary; its file says where it goes\n")]
    [InlineData("run sieve --host-memory 1G", 64, "mmu86: --host-memory: with native paging the host's memory is the guest's; use --memory\n")]
    [InlineData("run sieve --json /nosuch/folder/report.json", 74, "mmu86: --json: /nosuch/folder/report.json cannot be written\n")]
    [InlineData("run sieve --json /", 74, "mmu86: --json: / cannot be written\n")]
    [InlineData("boot vmlinuz -- quiet", 69, "mmu86: the command 'boot' is not available yet\n")]
    [InlineData("serve", 69, "mmu86: the command 'serve' is not available yet\n")]
    public void WrongCommandLine_EndsWithItsStatusAndOneSentence(string words, int status, string error)
    {
        ProcessResult result = Mmu86Process.RunInside(words.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(status, result.Status);
        Assert.StartsWith(error, result.Error);
        Assert.Equal("", result.Output);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("run --help")]
    [InlineData("list --help")]
    [InlineData("show --help")]
    [InlineData("show machine --help")]
    [InlineData("show guest -h")]
    [InlineData("sweep --help")]
    public void Help_EveryCommand_IsOnStandardOutput(string words)
    {
        ProcessResult result = Mmu86Process.RunInside(words.Split(' '));
        Assert.Equal(0, result.Status);
        Assert.Contains("Usage:", result.Output);
        Assert.DoesNotContain('\u001b', result.Output);
        Assert.Equal("", result.Error);
    }

    [Theory]
    [InlineData("serve", 69, "mmu86: the command 'serve' is not available yet\n")]
    [InlineData("lst", 64, "mmu86: unknown command 'lst'; did you mean 'list'?\n")]
    [InlineData("show guest seive", 65, "mmu86: there is no guest 'seive'; did you mean 'sieve'?\n")]
    public void WrongCommandLine_AsAProcess_EndsAlike(string words, int status, string error) =>
        Assert.Equal(new ProcessResult(status, "", error), Mmu86Process.Run(words.Split(' ')));

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
    public void ShowGuest_RingZeroImage_IsNamedAsRunTakesIt()
    {
        string[] lines = Mmu86Process.RunInside("show", "guest", "quicksort@bare").Output.Split('\n');
        Assert.Equal("quicksort@bare", lines[0]);
        Assert.Equal("  usage       mmu86 run quicksort@bare [N]", lines[2]);
        Assert.NotEqual(lines[^2], Mmu86Process.RunInside("show", "guest", "quicksort").Output.Split('\n')[^2]);
    }

    [Fact]
    public void List_Machines_ComparesAllInTwoTables()
    {
        ProcessResult result = Mmu86Process.Run("list", "machines");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Equal(2, result.Output.Split('\n').Count(line => line.StartsWith("zen3 ")));
        Assert.All(result.Output.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
    }

    [Fact]
    public void List_Policies_NamesWhatADescriptionAndAScenarioMaySay()
    {
        string output = Mmu86Process.RunInside("list", "policies").Output;
        Assert.All(["lru", "mru3Plru", "srrip", "permutation", "wsclock", "mglru", "opt"], name => Assert.Contains(output.Split('\n'), line => line.StartsWith(name + " ")));
    }

    [Fact]
    public void List_Scenarios_NamesEachAndWhatItShows()
    {
        ProcessResult result = Mmu86Process.RunInside("list", "scenarios");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Contains(result.Output.Split('\n'), line => line.StartsWith("enough-memory        three machines", StringComparison.Ordinal));
        Assert.Contains(result.Output.Split('\n'), line => line.StartsWith("six-on-four-balloon  the same", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("skylake")]
    [InlineData("golden-cove")]
    [InlineData("zen3")]
    public void ShowMachine_OfAFileThatItPrinted_PrintsItAgain(string preset)
    {
        string printed = Mmu86Process.RunInside("show", "machine", preset).Output;
        using var file = new TemporaryFile(printed);
        ProcessResult again = Mmu86Process.RunInside("show", "machine", file.Path);
        Assert.Equal((0, "", printed), (again.Status, again.Error, again.Output));
    }

    [Fact]
    public void ShowMachine_FileWithSeveralErrors_NamesThemAll()
    {
        JsonNode machine = JsonNode.Parse(Mmu86Process.RunInside("show", "machine", "skylake").Output)!;
        machine["mmu"]!["l2"]!["arrays"]![0]!["sets"] = -1;
        machine["cpuid"]!["physicalAddressBits"] = 60;
        using var file = new TemporaryFile(machine.ToJsonString());
        ProcessResult result = Mmu86Process.RunInside("show", "machine", file.Path);
        Assert.Equal(65, result.Status);
        Assert.Equal(
            $"mmu86: machine file {file.Path}: cpuid.physicalAddressBits: must be 36 to 52, not 60\n" +
            $"mmu86: machine file {file.Path}: mmu.l2.arrays[0].sets: must be 1 to 65536, not -1\n",
            result.Error);
    }
}
