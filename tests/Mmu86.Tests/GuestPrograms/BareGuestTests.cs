using Mmu86.GuestPrograms;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>Every ring-0 image runs in other emulators and prints what its reference computes.</summary>
public sealed class BareGuestTests
{
    private static readonly BootImageOptions Machine = new() { MemoryBytes = 64UL << 20 };

    /// <summary>Small arguments for every guest.</summary>
    public static TheoryData<string, string> Cases() => new()
    {
        { "hello", "" },
        { "sieve", "100000" },
        { "fibonacci", "21" },
        { "quicksort", "20000" },
        { "heapsort", "20000" },
        { "tree", "20000" },
        { "hash-table", "20000" },
        { "crc", "100003" },
        { "bytecode", "10000" },
        { "matrix", "37" },
        { "strings", "3" },
        { "stride", "100 100" },
        { "gups", "77 100000" },
        { "pointer-chase", "1000 123456" },
        { "line-chase", "1000 123456" },
        { "jump-chain", "1 1 5" },
        { "jump-chain", "100 7 500" },
        { "kernel-demand-paging", "1" },
        { "kernel-demand-paging", "500" },
        { "kernel-two-processes", "1" },
        { "kernel-two-processes", "1000" },
        { "kernel-stale-translation", "" },
        { "memory-kernel", "random 700 20000" },
        { "memory-kernel", "sequential 700 20000 3 2 7" },
        { "memory-kernel", "skewed 700 20000 0 0 1 50 50" },
        { "memory-kernel", "file 99 2000 1 5 1 0 0 300" },
    };

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void BareImage_RunInQemu_PrintsItsExpectedOutput(string name, string arguments)
    {
        TestTiers.Require(TestTier.Ci);
        (GuestProgram guest, GuestBuildOptions options) = Prepare(name, arguments);

        (int status, string output) = PeerEmulators.RunInQemu(guest.Build(options), Machine);

        Assert.Contains(output, guest.AcceptableOutputs(options));
        Assert.Equal(1, status);
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void BareImage_RunInBochs_PrintsItsExpectedOutput(string name, string arguments)
    {
        TestTiers.Require(TestTier.Ci);
        (GuestProgram guest, GuestBuildOptions options) = Prepare(name, arguments);

        string output = PeerEmulators.RunInBochs(guest.Build(options), Machine);

        Assert.Contains(output, guest.AcceptableOutputs(options));
    }

    [SkippableTheory]
    [InlineData("4k")]
    [InlineData("2m")]
    public void BootImage_OfEveryPageSize_EntersTheGuest(string page)
    {
        TestTiers.Require(TestTier.Ci);
        (GuestProgram guest, GuestBuildOptions options) = Prepare("pointer-chase", "10 25");
        options = options with { GuestPage = page };

        (_, string output) = PeerEmulators.RunInQemu(guest.Build(options), Machine with { GuestPage = page });

        Assert.Equal(guest.ExpectedOutput(options), output);
    }

    [Fact]
    public void BareImages_AllOfThem_HaveACaseHere()
    {
        // PageMatrixTests has the page matrix: it is about where these emulators are wrong. TlbProbeTests has the probe: what it prints is the clock's.
        IEnumerable<string> bare = GuestCatalogue.All.Where(guest => guest.Variants.HasFlag(GuestVariants.Bare)).Select(guest => guest.Name)
            .Except(["kernel-page-matrix", "tlb-probe"]);
        Assert.Equal(bare.Order(), Cases().Select(row => (string)row[0]).Distinct().Order());
    }

    private static (GuestProgram Guest, GuestBuildOptions Options) Prepare(string name, string arguments)
    {
        GuestProgram guest = GuestCatalogue.Find(name + GuestCatalogue.BareSuffix)!;
        return (guest, new GuestBuildOptions { Arguments = arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries) });
    }
}
