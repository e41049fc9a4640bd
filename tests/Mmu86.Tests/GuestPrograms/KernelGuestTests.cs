using Mmu86.GuestPrograms;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>What the ring-0 kernels say about machines that are known.</summary>
public sealed class KernelGuestTests
{
    private static readonly BootImageOptions Machine = new() { MemoryBytes = 64UL << 20 };

    [SkippableFact]
    public void DemandPaging_OnBochs_FindsEveryCheckRight()
    {
        TestTiers.Require(TestTier.Ci);
        GuestProgram kernel = GuestCatalogue.Find("kernel-demand-paging")!;
        var options = new GuestBuildOptions { Arguments = ["100"] };

        string output = PeerEmulators.RunInBochs(kernel.Build(options), Machine);

        Assert.Equal(kernel.ExpectedOutput(options), output);
        Assert.EndsWith("\n0 checks failed\n", output);
    }

    [SkippableFact]
    public void TwoProcesses_OnAHaswellOfBochs_UsesPcids()
    {
        TestTiers.Require(TestTier.Ci);
        GuestProgram kernel = GuestCatalogue.Find("kernel-two-processes")!;
        var options = new GuestBuildOptions { Arguments = ["10"] };

        string output = PeerEmulators.RunInBochs(kernel.Build(options), Machine);

        Assert.Equal(kernel.ExpectedOutput(options), output);
        Assert.StartsWith("PCIDs: yes\n", output);
    }

    [SkippableFact]
    public void StaleTranslation_OnQemu_SeesTheOldPageAndTheNewTable()
    {
        // QEMU caches translations of pages, but nothing of upper levels.
        TestTiers.Require(TestTier.Ci);
        GuestProgram kernel = GuestCatalogue.Find("kernel-stale-translation")!;

        (_, string output) = PeerEmulators.RunInQemu(kernel.Build(new GuestBuildOptions()), Machine);

        Assert.StartsWith("page changed, no INVLPG: old\ntable changed, no INVLPG, page not used before: new\n", output);
    }

    [Fact]
    public void StaleTranslation_AcceptableOutputs_DifferInTheFirstThreeLinesOnly()
    {
        IReadOnlyList<string> outputs = GuestCatalogue.Find("kernel-stale-translation")!.AcceptableOutputs(new GuestBuildOptions());

        Assert.Equal(8, outputs.Distinct().Count());
        Assert.Single(outputs.Select(output => string.Join('\n', output.Split('\n').Skip(3))).Distinct());
    }

    [Theory]
    [InlineData("kernel-demand-paging")]
    [InlineData("kernel-two-processes")]
    [InlineData("kernel-stale-translation")]
    [InlineData("kernel-page-matrix")]
    public void Kernels_AreRingZeroOnly(string name)
    {
        GuestProgram kernel = GuestCatalogue.Find(name)!;

        Assert.Equal(GuestVariants.Bare, kernel.Variants);
        Assert.Equal(GuestVariant.Bare, kernel.DefaultVariant);
        var exception = Assert.Throws<GuestArgumentException>(() => kernel.Build(new GuestBuildOptions { Variant = GuestVariant.RingThree }));
        Assert.Equal($"{name} has no ring-3 image.", exception.Message);
    }
}
