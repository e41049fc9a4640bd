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
        { "pointer-chase", "1 5" },
        { "pointer-chase", "1000 123456" },
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

    [Fact]
    public void RingThreeImages_AllOfThem_HaveACaseHere()
    {
        IEnumerable<string> ringThree = GuestCatalogue.All.Where(guest => guest.Variants.HasFlag(GuestVariants.RingThree)).Select(guest => guest.Name);
        Assert.Equal(ringThree.Order(), Cases().Select(row => (string)row[0]).Distinct().Order());
    }
}
