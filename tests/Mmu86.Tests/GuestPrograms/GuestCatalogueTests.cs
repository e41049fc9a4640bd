using Mmu86.GuestPrograms;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

public sealed class GuestCatalogueTests
{
    private const byte StandaloneOsAbi = 255;

    public static TheoryData<string> Names() => new(GuestCatalogue.All.Select(guest => guest.Name));

    [Theory]
    [InlineData("sieve", GuestVariant.RingThree)]
    [InlineData("sieve@bare", GuestVariant.Bare)]
    public void Find_WithAndWithoutSuffix_GivesTheVariant(string name, GuestVariant variant)
    {
        GuestProgram guest = GuestCatalogue.Find(name)!;

        Assert.Equal("sieve", guest.Name);
        Assert.Equal(variant, guest.DefaultVariant);
        Assert.Equal(variant == GuestVariant.Bare ? StandaloneOsAbi : 0, guest.Build(new GuestBuildOptions())[7]);
    }

    [Theory]
    [InlineData("siev")]
    [InlineData("")]
    [InlineData("@bare")]
    [InlineData("sieve@linux")]
    [InlineData("sieve@bare@bare")]
    public void Find_UnknownName_GivesNull(string name) => Assert.Null(GuestCatalogue.Find(name));

    [Theory]
    [MemberData(nameof(Names))]
    public void Build_Twice_GivesTheSameBytes(string name)
    {
        foreach (GuestProgram guest in new[] { GuestCatalogue.Find(name), GuestCatalogue.Find(name + "@bare") }.OfType<GuestProgram>())
            Assert.Equal(guest.Build(new GuestBuildOptions()), guest.Build(new GuestBuildOptions()));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Guest_Description_IsOneQuestion(string name)
    {
        GuestProgram guest = GuestCatalogue.Find(name)!;

        Assert.EndsWith("?", guest.Question);
        Assert.Equal(1, guest.Question.Count(letter => letter is '?' or '.'));
        Assert.All(guest.Parameters, parameter => Assert.InRange(parameter.Default, parameter.Minimum, parameter.Maximum));
    }

    [Theory]
    [InlineData("sieve", "x", "sieve: N is 'x'; it must be a number (numbers) from 2 to 1000000000.")]
    [InlineData("sieve", "1", "sieve: N is '1'; it must be a number (numbers) from 2 to 1000000000.")]
    [InlineData("sieve", "-5", "sieve: N is '-5'; it must be a number (numbers) from 2 to 1000000000.")]
    [InlineData("stride", "1 99999999999999999999", "stride: ROUNDS is '99999999999999999999'; it must be a number (rounds) from 1 to 4294967296.")]
    [InlineData("memory-kernel", "randum", "memory-kernel: WORKLOAD is 'randum'; it must be random, sequential, skewed or file.")]
    [InlineData("memory-kernel", "random 5000%", "memory-kernel: PAGES is '5000%'; it must be a number (pages) from 1 to 4194304, or such a share of the machine's memory as 60%.")]
    [InlineData("memory-kernel", "random 18446744073709551615%", "memory-kernel: PAGES is '18446744073709551615%'; it must be a number (pages) from 1 to 4194304, or such a share of the machine's memory as 60%.")]
    [InlineData("gups", "60%", "gups: PAGES is '60%'; it must be a number (pages) from 1 to 16777216.")]
    [InlineData("hello", "again", "hello takes no arguments, so 'again' is one too many.")]
    [InlineData("crc", "1 2", "crc takes at most one argument, so '2' is one too many.")]
    [InlineData("gups", "1 2 3", "gups takes at most 2 arguments, so '3' is one too many.")]
    public void Build_ArgumentsItDoesNotTake_SaysWhichInOneSentence(string name, string arguments, string message)
    {
        GuestProgram guest = GuestCatalogue.Find(name)!;

        var exception = Assert.Throws<GuestArgumentException>(() => guest.Build(new GuestBuildOptions { Arguments = arguments.Split(' ') }));

        Assert.Equal(message, exception.Message);
    }

    [Fact]
    public void Build_PagesAsAShareOfMemory_AreThatManyPages()
    {
        GuestProgram guest = GuestCatalogue.Find("memory-kernel")!;
        byte[] share = guest.Build(new GuestBuildOptions { Arguments = ["random", "150%"], MemoryBytes = 64UL << 20 });

        Assert.Equal(guest.Build(new GuestBuildOptions { Arguments = ["random", "24576"] }), share);
        Assert.NotEqual(guest.Build(new GuestBuildOptions { Arguments = ["random", "150%"] }), share);
    }

    [Fact]
    public void Build_UnknownPageSize_IsRefused()
    {
        var options = new GuestBuildOptions { GuestPage = "16k" };

        var exception = Assert.Throws<GuestArgumentException>(() => GuestCatalogue.Find("stride")!.Build(options));

        Assert.Equal("The guest's page size is '16k'; it may be 4k, 2m or 1g.", exception.Message);
    }

    [Fact]
    public void Build_JumpsBeyondTheirReach_IsRefused()
    {
        var options = new GuestBuildOptions { GuestPage = "1g", Arguments = ["2", "2"] };

        var exception = Assert.Throws<GuestArgumentException>(() => GuestCatalogue.Find("jump-chain")!.Build(options));

        Assert.Equal("jump-chain: STRIDE is '2'; pages of 1073741824 bytes so far apart are beyond the reach of a jump.", exception.Message);
    }

    [Fact]
    public void Build_MoreThanTheAddressSpace_IsRefused()
    {
        var options = new GuestBuildOptions { GuestPage = "1g", Arguments = ["70000"] };

        Assert.Throws<GuestArgumentException>(() => GuestCatalogue.Find("stride")!.Build(options));
    }

    [Fact]
    public void Readme_Table_HasEveryGuestWithItsQuestionAndDefaults()
    {
        string[] rows = [.. File.ReadAllLines(Path.Combine(Repository.Root, "guest-programs", "README.md")).Where(line => line.StartsWith("| `"))];

        Assert.Equal(GuestCatalogue.All.Count, rows.Length);
        foreach ((GuestProgram guest, string row) in GuestCatalogue.All.Zip(rows))
        {
            Assert.StartsWith($"| `{guest.Name}` | {guest.Question} |", row);
            string digits = row.Replace(" ", "");
            Assert.All(guest.Parameters, parameter => Assert.Matches($"`{parameter.Name}`[a-z]*\\({parameter.DefaultText}\\)", digits));
            Assert.Equal(guest.Variants.HasFlag(GuestVariants.RingThree), row.Contains("ring 3"));
        }
    }
}
