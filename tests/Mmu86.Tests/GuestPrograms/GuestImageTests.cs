using Mmu86.GuestPrograms;
using Mmu86.Loaders;
using Mmu86.Loaders.Elf;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>The images as a loader sees them.</summary>
public sealed class GuestImageTests
{
    /// <summary>Every image in an ELF64 file.</summary>
    public static TheoryData<string> Images() => new(GuestCatalogue.All
        .Where(guest => !guest.Variants.HasFlag(GuestVariants.Multiboot))
        .SelectMany(guest => new[] { guest.Name, guest.Name + GuestCatalogue.BareSuffix })
        .Where(name => GuestCatalogue.Find(name) is not null));

    [Theory]
    [MemberData(nameof(Images))]
    public void Image_Entry_IsTheSymbolStart(string name)
    {
        ElfFile elf = Parse(name);

        Assert.True(elf.Symbols.TryFind("_start", out LinearAddress start));
        Assert.Equal(elf.Entry, start);
        Assert.Equal(GuestCatalogue.Find(name)!.DefaultVariant == GuestVariant.Bare, elf.IsStandalone);
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void Image_MeasuredPart_IsBetweenTheMarkers(string name)
    {
        ElfFile elf = Parse(name);
        if (name.StartsWith("hello") || name.StartsWith("kernel-stale-translation"))
        {
            Assert.False(elf.Symbols.TryFind("measured_begin", out _));
            return;
        }

        // nop dword [rax + disp32]
        Assert.Equal([0x0F, 0x1F, 0x80, 0x01, 0x55, 0x4D, 0x4D], BytesAt(elf, "measured_begin"));
        Assert.Equal([0x0F, 0x1F, 0x80, 0x02, 0x55, 0x4D, 0x4D], BytesAt(elf, "measured_end"));
        Assert.Equal(1, CountMarkers(elf, 0x01));
        Assert.Equal(1, CountMarkers(elf, 0x02));
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void Image_Segments_ShareNoLargePageWithOthersOfOtherRights(string name)
    {
        ElfFile elf = Parse(name);

        Assert.All(elf.Segments, segment => Assert.NotEqual(PageRights.Write | PageRights.Execute, segment.Rights & (PageRights.Write | PageRights.Execute)));
        for (int i = 1; i < elf.Segments.Count; i++)
        {
            ElfSegment low = elf.Segments[i - 1], high = elf.Segments[i];
            Assert.True(low.Linear.Value + low.MemorySize <= high.Linear.Value);
            if (low.Rights != high.Rights)
                Assert.True((low.Linear.Value + low.MemorySize - 1) >> 21 < high.Linear.Value >> 21);
        }
    }

    [Theory]
    [InlineData("4k", 12)]
    [InlineData("2m", 21)]
    [InlineData("1g", 30)]
    public void PointerChase_Data_IsSoManyPagesOfTheGuestsSize(string page, int shift)
    {
        var options = new GuestBuildOptions { GuestPage = page, Arguments = ["3"] };
        ElfFile elf = ElfFile.Parse(GuestCatalogue.Find("pointer-chase")!.Build(options));

        Assert.True(elf.Symbols.TryFind("data", out LinearAddress data));
        Assert.Equal(0UL, data.Value & ((1UL << shift) - 1));
        ElfSegment segment = Assert.Single(elf.Segments, segment => segment.ContainsLinear(data.Value));
        Assert.Equal(3UL << shift, segment.MemorySize);
        Assert.Equal(0, segment.Bytes.Length);
    }

    [Fact]
    public void BareImage_DataThatWouldReachTheDeviceHole_IsAboveIt()
    {
        var options = new GuestBuildOptions { GuestPage = "1g", Arguments = ["3"], Variant = GuestVariant.Bare };
        ElfFile elf = ElfFile.Parse(GuestCatalogue.Find("stride")!.Build(options));

        Assert.True(elf.Symbols.TryFind("data", out LinearAddress data));
        Assert.Equal(4UL << 30, data.Value);
    }

    [Fact]
    public void PrebuiltBareImage_LastSegment_HasTheMemoryThatTheGuestTakes()
    {
        const ulong NodeBytes = 32;
        ulong small = Size("1"), large = Size("1001");

        Assert.Equal(1000 * NodeBytes, large - small);

        static ulong Size(string keys) =>
            ElfFile.Parse(GuestCatalogue.Find("tree@bare")!.Build(new GuestBuildOptions { Arguments = [keys] })).Segments[^1].MemorySize;
    }

    private static ElfFile Parse(string name) => ElfFile.Parse(GuestCatalogue.Find(name)!.Build(new GuestBuildOptions()));

    private static byte[] BytesAt(ElfFile elf, string symbol)
    {
        const int MarkerBytes = 7;
        Assert.True(elf.Symbols.TryFind(symbol, out LinearAddress address));
        ElfSegment segment = elf.Segments.Single(segment => segment.ContainsLinear(address.Value));
        return segment.Bytes.Slice((int)(address.Value - segment.Linear.Value), MarkerBytes).ToArray();
    }

    private static int CountMarkers(ElfFile elf, byte which)
    {
        ReadOnlySpan<byte> text = elf.Segments.Single(segment => (segment.Rights & PageRights.Execute) != 0).Bytes.Span;
        ReadOnlySpan<byte> marker = [0x0F, 0x1F, 0x80, which, 0x55, 0x4D, 0x4D];
        return text.Count(marker);
    }
}
