using System.Buffers.Binary;
using Mmu86.Loaders;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

public sealed class ImageRecognitionTests
{
    [Fact]
    public void Recognise_Elf64_IsElfWhateverItContains()
    {
        byte[] file = ElfWriter.Typical().Write();
        WriteMultibootHeader(file, 0x1010);
        Assert.Equal(ImageKind.Elf, ImageRecognition.Recognise(file));
    }

    [Fact]
    public void Recognise_Elf32_IsMultibootWithAHeaderAndElfWithout()
    {
        var file = new byte[0x3000];
        ReadOnlySpan<byte> ident = [0x7F, (byte)'E', (byte)'L', (byte)'F', 1, 1, 1];
        ident.CopyTo(file);
        Assert.Equal(ImageKind.Elf, ImageRecognition.Recognise(file));
        WriteMultibootHeader(file, 0x1000);
        Assert.Equal(ImageKind.Multiboot, ImageRecognition.Recognise(file));
    }

    [Theory]
    [InlineData(0, ImageKind.Multiboot)]
    [InlineData(4, ImageKind.Multiboot)]
    [InlineData(2, ImageKind.Flat)] // not aligned
    [InlineData(8192 - 12, ImageKind.Multiboot)]
    [InlineData(8192 - 8, ImageKind.Flat)] // too late
    public void Recognise_MultibootHeader_CountsInTheFirst8192BytesOnly(int offset, ImageKind kind)
    {
        var file = new byte[0x3000];
        WriteMultibootHeader(file, offset);
        Assert.Equal(kind, ImageRecognition.Recognise(file));
    }

    [Fact]
    public void Recognise_MultibootMagicWithoutChecksum_IsFlat()
    {
        var file = new byte[64];
        WriteMultibootHeader(file, 0);
        file[8]++;
        Assert.Equal(ImageKind.Flat, ImageRecognition.Recognise(file));
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0x7F, 0x45, 0x4C })]
    [InlineData(new byte[] { 0xF4 })]
    public void Recognise_ShortFiles_AreFlat(byte[] file) => Assert.Equal(ImageKind.Flat, ImageRecognition.Recognise(file));

    [Theory]
    [InlineData(512, 0x55, 0xAA, ImageKind.BootSector)]
    [InlineData(512, 0x55, 0xAB, ImageKind.Flat)]
    [InlineData(1024, 0x55, 0xAA, ImageKind.Flat)]
    public void Recognise_BootSector_HasItsSizeAndSignature(int length, byte first, byte second, ImageKind kind)
    {
        byte[] file = new byte[length];
        file[510] = first;
        file[511] = second;
        Assert.Equal(kind, ImageRecognition.Recognise(file));
    }

    [Theory]
    [InlineData(0, 0UL, 0UL, "is empty")]
    [InlineData(16, 0x1000UL, 0xFFFUL, "entry")]
    [InlineData(16, 0x1000UL, 0x1010UL, "entry")]
    [InlineData(16, ulong.MaxValue - 8, ulong.MaxValue - 8, "load address")]
    public void FlatImage_ThatContradictsItself_IsRefused(int length, ulong address, ulong entry, string word)
    {
        var error = Assert.Throws<ImageFormatException>(
            () => new FlatImage(new byte[length], new GuestPhysicalAddress(address), new GuestPhysicalAddress(entry)));
        Assert.Contains(word, error.Message);
    }

    private static void WriteMultibootHeader(Span<byte> file, int offset)
    {
        const uint Magic = 0x1BAD_B002;
        const uint Flags = 3;
        BinaryPrimitives.WriteUInt32LittleEndian(file[offset..], Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(file[(offset + 4)..], Flags);
        if (offset + 12 <= file.Length)
            BinaryPrimitives.WriteUInt32LittleEndian(file[(offset + 8)..], unchecked(0 - Magic - Flags));
    }
}
