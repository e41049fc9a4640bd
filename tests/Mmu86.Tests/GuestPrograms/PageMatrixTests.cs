using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.TestKit;
using Mmu86.TestKit.Rules;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>Page permissions and faults, judged by processors that we did not write: they run the same image, which prints digests of what it saw.</summary>
[LongTests]
public sealed class PageMatrixTests
{
    private const string Name = "kernel-page-matrix";
    private static readonly BootImageOptions Machine = new() { MemoryBytes = 64UL << 20 };

    // A prime number, so that no value of any kind is left out.
    private static readonly string Stride = $"{TestTiers.Pick(standard: 499, ci: 31, soak: 3)}";

    private static readonly Lazy<string> s_expected = new(() => GuestCatalogue.Find(Name)!.ExpectedOutput(Options()));

    private static readonly PageMatrixOutput.Deviation[] DeviationsOfBochs =
    [
        new("implicit.* smap$", "R04", "RFLAGS.AC excuses implicit accesses too"),
    ];

    private static readonly PageMatrixOutput.Deviation[] DeviationsOfQemu =
    [
        new(" (reserved|width)", "F01", "a reserved bit is reported without the P flag"),
        new("implicit.* smap$", "R04", "RFLAGS.AC excuses implicit accesses below CPL 3"),
        new("^1g .* rights", "F06", "the entry of a 1 GiB page becomes accessed though its rights deny the access"),
    ];

    private static readonly PageMatrixOutput.Deviation[] DeviationsOfKvmInSoftware =
    [
        new("rights( nxe)? smap$", "R04", "without SMEP, some supervisor fetches from user-mode pages fault under SMAP as reads would"),
    ];

    [Theory]
    [InlineData(PagingMode.Native, Fidelity.Fast, PageSize.Size4K)]
    [InlineData(PagingMode.Native, Fidelity.Tlb, PageSize.Size4K)]
    [InlineData(PagingMode.Native, Fidelity.Tlb, PageSize.Size4K, "mmu.lookUpEveryAccess=true")]
    [InlineData(PagingMode.Nested, Fidelity.Fast, PageSize.Size2M)]
    [InlineData(PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K)]
    [InlineData(PagingMode.Nested, Fidelity.Tlb, PageSize.Size2M, "mmu.nested.format=npt")]
    [InlineData(PagingMode.Shadow, Fidelity.Fast, PageSize.Size2M)]
    [InlineData(PagingMode.Shadow, Fidelity.Tlb, PageSize.Size4K)]
    [Rule("P07")]
    [Rule("P08")]
    [Rule("P09")]
    [Rule("P10")]
    [Rule("P13")]
    [Rule("R01")]
    [Rule("R02")]
    [Rule("R03")]
    [Rule("R04")]
    [Rule("R05")]
    [Rule("R06")]
    [Rule("R14")]
    [Rule("F01")]
    [Rule("F02")]
    [Rule("F05")]
    [Rule("F06")]
    [Rule("A01")]
    [Rule("A07")]
    public void Mmu86_PrintsWhatTheManualsRulesGive(PagingMode paging, Fidelity fidelity, PageSize hostPage, params string[] overrides)
    {
        RunTrace run = SmallRuns.Run(
            SmallRuns.Options($"{Name} {Stride}", paging, fidelity, PageSize.Size4K, overrides) with { HostPage = hostPage }, null, null);

        Assert.Equal(s_expected.Value, run.Output);
    }

    [SkippableFact]
    [Rule("P07")]
    [Rule("P08")]
    [Rule("P09")]
    [Rule("R01")]
    [Rule("R02")]
    [Rule("R03")]
    [Rule("R06")]
    [Rule("F01")]
    [Rule("F02")]
    [Rule("F05")]
    [Rule("F06")]
    [Rule("A01")]
    [Rule("A07")]
    public void Bochs_PrintsTheSameButWhereItIsKnownToBeWrong()
    {
        TestTiers.Require(TestTier.Ci);

        string output = PeerEmulators.RunInBochs(Image(), Machine, "corei7_skylake_x");

        PageMatrixOutput.AssertDiffersExactlyIn(DeviationsOfBochs, [s_expected.Value], output);
    }

    [SkippableFact]
    [Rule("F01")]
    [Rule("R04")]
    [Rule("F06")]
    public void Qemu_PrintsTheSameButWhereItIsKnownToBeWrong()
    {
        TestTiers.Require(TestTier.Ci);

        (_, string output) = PeerEmulators.RunInQemu(Image(), Machine, "max");

        PageMatrixOutput.AssertDiffersExactlyIn(DeviationsOfQemu, [s_expected.Value], output);
    }

    /// <summary>The host's processor where KVM uses its virtualization; elsewhere KVM walks the tables and emulates in software.</summary>
    [SkippableFact]
    [Rule("P08")]
    [Rule("R01")]
    [Rule("R02")]
    [Rule("R03")]
    [Rule("R05")]
    [Rule("R06")]
    [Rule("F01")]
    [Rule("F02")]
    [Rule("F05")]
    [Rule("F06")]
    [Rule("A01")]
    [Rule("A07")]
    public void Kvm_PrintsTheSameForWhatTheHostHas()
    {
        TestTiers.Require(TestTier.Ci);

        // Where KVM emulates, every step may be an exit to it, so the share is smaller.
        bool isHardware = PeerEmulators.HostHasVirtualization();
        int stride = isHardware ? TestTiers.Pick(standard: 211, ci: 101, soak: 31) : TestTiers.Pick(standard: 997, ci: 997, soak: 211);
        var options = new GuestBuildOptions { Arguments = [$"{stride}"] };
        GuestProgram kernel = GuestCatalogue.Find(Name)!;

        (int status, string output) = PeerEmulators.RunOnHost(kernel.Build(options), Machine);

        PageMatrixOutput.Deviation[] deviations = isHardware ? [] : DeviationsOfKvmInSoftware;
        PageMatrixOutput.AssertDiffersWithin(deviations, kernel.AcceptableOutputs(options), output);
        Assert.Equal(1, status);
    }

    private static byte[] Image() => GuestCatalogue.Find(Name)!.Build(Options());


    private static GuestBuildOptions Options() => new() { Arguments = [Stride] };
}
