using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Loaders;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>The multiboot kernels on our machine and on QEMU's.</summary>
public sealed class MultibootGuestTests
{
    // The map is what firmware says of a machine, and firmware reserves what it likes.
    private const string MapLine = "memory: ";

    public static TheoryData<string> Kernels() =>
        new(GuestCatalogue.All.Where(guest => guest.Variants.HasFlag(GuestVariants.Multiboot)).Select(guest => guest.Name));

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernel_InEveryFidelityAndPagingMode_PrintsTheFirstOfItsOutputsAndLeavesByTheDebugExit(string name)
    {
        string expected = GuestCatalogue.Find(name)!.ExpectedOutput(new GuestBuildOptions { MemoryBytes = SmallRuns.MemoryBytes });
        foreach (Fidelity fidelity in new[] { Fidelity.Fast, Fidelity.Tlb })
        {
            foreach (PagingMode paging in new[] { PagingMode.Native, PagingMode.Nested })
            {
                RunTrace run = SmallRuns.Run(SmallRuns.Options(name, paging, fidelity, PageSize.Size4K), null, null);
                Assert.Equal(expected, run.Output);
                Assert.StartsWith("Exited 1", run.Exit);
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Kernel_LoadedByQemu_PrintsTheSameButForTheMemoryMap(string name)
    {
        TestTiers.Require(TestTier.Ci);
        GuestProgram kernel = GuestCatalogue.Find(name)!;
        var options = new GuestBuildOptions { Arguments = ["one", "two=2"], MemoryBytes = SmallRuns.MemoryBytes };

        (int status, string output) = PeerEmulators.RunKernelInQemu(kernel.Build(options), "one two=2", options.MemoryBytes);

        Assert.Contains(WithoutMap(output), kernel.AcceptableOutputs(options).Select(WithoutMap));
        Assert.Equal(1, status);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Image_IsAMultibootKernelInAnElf32File(string name)
    {
        byte[] image = GuestCatalogue.Find(name)!.Build(new GuestBuildOptions());

        Assert.Equal(1, image[4]); // ELFCLASS32
        Assert.Equal(ImageKind.Multiboot, ImageRecognition.Recognise(image));
    }

    [Fact]
    public void Kernel_AskedForAnotherImage_RefusesInOneSentence()
    {
        GuestProgram kernel = GuestCatalogue.Find("kernel-multiboot")!;

        Assert.Null(GuestCatalogue.Find("kernel-multiboot@bare"));
        Assert.Equal(
            "kernel-multiboot has no ring-0 image.",
            Assert.Throws<GuestArgumentException>(() => kernel.Build(new GuestBuildOptions { Variant = GuestVariant.Bare })).Message);
        Assert.Equal(
            "sieve has no multiboot image.",
            Assert.Throws<GuestArgumentException>(() => GuestCatalogue.Find("sieve")!.Build(new GuestBuildOptions { Variant = GuestVariant.Multiboot })).Message);
    }

    private static string WithoutMap(string output) => string.Join('\n', output.Split('\n').Where(line => !line.StartsWith(MapLine)));
}
