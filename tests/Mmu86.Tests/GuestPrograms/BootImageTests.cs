using Mmu86.GuestPrograms;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

public sealed class BootImageTests
{
    private const int CylinderSize = 16 * 63 * 512;

    [Fact]
    public void Create_Twice_GivesTheSameWholeCylindersWithABootSignature()
    {
        byte[] guest = GuestCatalogue.Find("sieve@bare")!.Build(new GuestBuildOptions());

        byte[] disk = BootImage.Create(guest, new BootImageOptions());

        Assert.Equal(disk, BootImage.Create(guest, new BootImageOptions()));
        Assert.Equal(0, disk.Length % CylinderSize);
        Assert.Equal([0x55, 0xAA], disk[510..512]);
    }

    [Fact]
    public void Create_RingThreeImage_IsRefused()
    {
        byte[] guest = GuestCatalogue.Find("sieve")!.Build(new GuestBuildOptions());

        var exception = Assert.Throws<InvalidDataException>(() => BootImage.Create(guest, new BootImageOptions()));

        Assert.Equal("Only ring-0 images boot: EI_OSABI is not 255.", exception.Message);
    }

    [Fact]
    public void Create_NotAnElfFile_IsRefused() =>
        Assert.Throws<InvalidDataException>(() => BootImage.Create(new byte[100], new BootImageOptions()));

    [Theory]
    [InlineData(0UL)]
    [InlineData(4UL << 20)]
    [InlineData(64UL << 20)]
    [InlineData((256UL << 20) + 4096)]
    [InlineData(4UL << 30)]
    public void Create_MemoryThatDoesNotDo_IsRefused(ulong memory)
    {
        // The table of gups alone is 64 MiB.
        byte[] guest = GuestCatalogue.Find("gups@bare")!.Build(new GuestBuildOptions());

        Assert.Throws<GuestArgumentException>(() => BootImage.Create(guest, new BootImageOptions { MemoryBytes = memory }));
    }
}
