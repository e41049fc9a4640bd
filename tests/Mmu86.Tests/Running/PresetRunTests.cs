using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running;

/// <summary>Guests run on every preset, and take the cycles that were measured where there are measurements.</summary>
public sealed class PresetRunTests
{
    private const int Steps = 20_000;

    public static TheoryData<string> Presets => [.. MachineCatalogue.Names];

    [Theory]
    [MemberData(nameof(Presets))]
    public void Run_HelloAndAChase_EndsWellOnEveryPreset(string preset)
    {
        MachineDescription machine = MachineCatalogue.Preset(preset);
        foreach (PagingMode paging in new[] { PagingMode.Native, PagingMode.Nested })
        {
            foreach (Fidelity fidelity in new[] { Fidelity.Fast, Fidelity.Tlb, Fidelity.Cycles })
            {
                foreach (string guest in new[] { "hello", "pointer-chase 70 1000" })
                {
                    RunTrace trace = SmallRuns.Run(SmallRuns.Options(guest, paging, fidelity, PageSize.Size4K) with { Machine = machine }, null, null);
                    Assert.StartsWith("Exited 0", trace.Exit);
                    Assert.NotEmpty(trace.Output);
                }
            }
        }
    }

    // Chases over one line a page. Where a set of the first level overflows before all do, the first page beyond the knee is already slower.
    [Theory]
    [InlineData("golden-cove", 8, 5)]
    [InlineData("golden-cove", 96, 5)]
    [InlineData("golden-cove", 112, 12)]
    [InlineData("golden-cove", 768, 12)]
    [InlineData("golden-cove", 1000, 23)]
    [InlineData("zen5", 8, 4)]
    [InlineData("zen5", 96, 4)]
    [InlineData("zen5", 97, 11)]
    [InlineData("zen5", 768, 11)]
    [InlineData("gracemont", 48, 3)]
    [InlineData("gracemont", 49, 12)]
    public void PointerChase_OverPublishedKnees_TakesThePublishedCycles(string preset, int pages, int cycles) =>
        Assert.InRange((double)Chase(preset, pages) / Steps, cycles - 0.25, cycles + 0.25);

    [Theory]
    [InlineData("golden-cove", 96)]
    [InlineData("golden-cove", 768)]
    [InlineData("zen5", 96)]
    [InlineData("gracemont", 48)]
    public void PointerChase_OnePageBeyondAKnee_IsSlower(string preset, int pages) =>
        Assert.True(Chase(preset, pages + 1) > Chase(preset, pages) + (Steps / 10));

    private static long Chase(string preset, int pages)
    {
        RunOptions options = SmallRuns.Options($"pointer-chase {pages} {Steps}", PagingMode.Native, Fidelity.Cycles, PageSize.Size4K) with
        {
            Machine = MachineCatalogue.Preset(preset),
        };
        return new GuestRunner(options, GuestOutput.None).Run(CancellationToken.None).Measured!.Cycles!.Value;
    }
}
