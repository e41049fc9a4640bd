using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>The probe finds the structure of data TLBs from inside the guest, by time alone.</summary>
public sealed class TlbProbeTests
{
    private const string Clock = "clock.counts=cycles";
    private const string Array = "mmu.l2.arrays[0]";

    [Theory]
    [InlineData("tlb-probe 2048")]
    [InlineData("tlb-probe@bare 2048")]
    public void Probe_OfSkylake_FindsSetsWaysAndHashOfBothLevels(string guest) => Assert.Equal(
        "tlb-probe up to 2048 entries\nlevel 1: 64 entries, 16 sets of 4 ways, linear index\nlevel 2: 1536 entries, 128 sets of 12 ways, xor index\n",
        Output(guest, Fidelity.Tlb, Clock));

    [Theory]
    [InlineData("64 entries, 16 sets of 4 ways, linear index", "1024 entries, 256 sets of 4 ways, linear index", $"{Array}.sets=256", $"{Array}.ways=4", $"{Array}.hash=linear", $"{Array}.replacement=lru")]
    [InlineData("64 entries, 16 sets of 4 ways, linear index", "1536 entries, 256 sets of 6 ways, xor index", $"{Array}.sets=256", $"{Array}.ways=6", $"{Array}.replacement=lru")]
    [InlineData("64 entries, 16 sets of 4 ways, linear index", "1024 entries, 128 sets of 8 ways, linear index", $"{Array}.ways=8", $"{Array}.hash=linear", $"{Array}.replacement=treePlru")]
    [InlineData("96 entries, 16 sets of 6 ways, linear index", "at least 2048 entries", "mmu.l1Data.arrays[0].ways=6", "mmu.l1Data.arrays[0].replacement=lru", $"{Array}.sets=256")]
    [InlineData("128 entries, 32 sets of 4 ways, xor index", "1536 entries, 128 sets of 12 ways, xor index", "mmu.l1Data.arrays[0].sets=32", "mmu.l1Data.arrays[0].hash=xor")]
    [InlineData("72 entries, no sets: fully associative, or an index that is neither linear nor xor", "1536 entries, 128 sets of 12 ways, xor index", "mmu.l1Data.arrays[0].sets=1", "mmu.l1Data.arrays[0].ways=72", "mmu.l1Data.arrays[0].replacement=lru")]
    public void Probe_OfOtherGeometries_FindsThem(string first, string second, params string[] overrides) =>
        Assert.Equal($"tlb-probe up to 2048 entries\nlevel 1: {first}\nlevel 2: {second}\n", Output("tlb-probe 2048", Fidelity.Tlb, [Clock, .. overrides]));

    [Fact]
    public void Probe_WithDataCachesInTheClock_FindsTheFirstLevel() =>
        Assert.Contains("\nlevel 1: 64 entries, 16 sets of 4 ways, linear index\n", Output("tlb-probe 2048", Fidelity.Cycles, Clock));

    [Fact]
    public void Probe_OfLargePages_FindsTheirArray() =>
        Assert.Contains("\nlevel 1: 32 entries, 8 sets of 4 ways, linear index\n", Output("tlb-probe 40", Fidelity.Tlb, PageSize.Size2M, Clock));

    [SkippableFact]
    public void Probe_RunNatively_EndsWhateverTheClockShows()
    {
        var options = new GuestBuildOptions { Arguments = ["256"] };
        using var process = new GuestProcess();

        (int status, string output) = process.RunNatively(GuestCatalogue.Find("tlb-probe")!.Build(options));

        Assert.Equal(0, status);
        Assert.StartsWith("tlb-probe up to 256 entries\n", output);
    }

    private static string Output(string guest, Fidelity fidelity, params string[] overrides) => Output(guest, fidelity, PageSize.Size4K, overrides);

    private static string Output(string guest, Fidelity fidelity, PageSize page, params string[] overrides)
    {
        RunOptions options = SmallRuns.Options(guest, PagingMode.Native, fidelity, page, overrides) with { MemoryBytes = 512UL << 20 };
        return SmallRuns.Run(options, null, null).Output;
    }
}
