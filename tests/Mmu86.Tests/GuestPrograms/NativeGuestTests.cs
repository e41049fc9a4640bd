using Mmu86.GuestPrograms;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>Every ring-3 image runs on the host CPU and prints what its reference computes.</summary>
public sealed class NativeGuestTests
{
    /// <summary>Small arguments: some that are ordinary, and the edges of what is accepted.</summary>
    public static TheoryData<string, string> Cases() => new()
    {
        { "hello", "" },
        { "sieve", "2" },
        { "sieve", "100000" },
        { "fibonacci", "0" },
        { "fibonacci", "21" },
        { "quicksort", "1" },
        { "quicksort", "20000" },
        { "heapsort", "1" },
        { "heapsort", "20000" },
        { "tree", "1" },
        { "tree", "20000" },
        { "hash-table", "1" },
        { "hash-table", "20000" },
        { "crc", "1" },
        { "crc", "100003" },
        { "bytecode", "10000" },
        { "matrix", "1" },
        { "matrix", "37" },
        { "strings", "3" },
        { "stride", "1 1" },
        { "stride", "100 100" },
        { "gups", "1 1" },
        { "gups", "77 100000" },
        { "pointer-chase", "1 5" },
        { "pointer-chase", "1000 123456" },
        { "line-chase", "1 5" },
        { "line-chase", "1000 123456" },
        { "jump-chain", "1 1 5" },
        { "jump-chain", "100 7 500" },
    };

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void RingThreeImage_RunNatively_PrintsItsExpectedOutput(string name, string arguments)
    {
        GuestProgram guest = GuestCatalogue.Find(name)!;
        var options = new GuestBuildOptions { Arguments = arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries) };
        using var process = new GuestProcess();

        (int status, string output) = process.RunNatively(guest.Build(options));

        Assert.Equal(guest.ExpectedOutput(options), output);
        Assert.Equal(0, status);
    }

    [SkippableTheory]
    [InlineData("pointer-chase", "2m", "70 123")]
    [InlineData("pointer-chase", "1g", "1 5")]
    [InlineData("line-chase", "2m", "70 123")]
    [InlineData("jump-chain", "2m", "20 3 5")]
    [InlineData("jump-chain", "1g", "2 1 5")]
    [InlineData("stride", "2m", "3 4")]
    [InlineData("gups", "2m", "2 1000")]
    public void RingThreeImage_ForLargePages_PrintsItsExpectedOutput(string name, string page, string arguments)
    {
        GuestProgram guest = GuestCatalogue.Find(name)!;
        var options = new GuestBuildOptions { GuestPage = page, Arguments = arguments.Split(' ') };
        using var process = new GuestProcess();

        (_, string output) = process.RunNatively(guest.Build(options));

        Assert.Equal(guest.ExpectedOutput(options), output);
    }

    [Fact]
    public void RingThreeImages_AllOfThem_HaveACaseHere()
    {
        // TlbProbeTests has the probe: what it prints is the clock's.
        IEnumerable<string> ringThree = GuestCatalogue.All.Where(guest => guest.Variants.HasFlag(GuestVariants.RingThree)).Select(guest => guest.Name)
            .Except(["tlb-probe"]);
        Assert.Equal(ringThree.Order(), Cases().Select(row => (string)row[0]).Distinct().Order());
    }
}
