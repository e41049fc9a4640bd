using System.Buffers.Binary;
using Mmu86.Loaders.Multiboot;
using Mmu86.Loaders.RealMode;

namespace Mmu86.Loaders;

/// <summary>Tells the kinds of guest image apart by their first bytes.</summary>
public static class ImageRecognition
{
    private const uint ElfMagic = 0x464C_457F;
    private const int ElfClassOffset = 4;
    private const byte ElfClass64 = 2;

    /// <summary>The kind of a file. What is nothing else is flat.</summary>
    /// <remarks>An ELF64 is an ELF even if it carries a multiboot header: a multiboot 1 loader takes ELF32 only.</remarks>
    public static ImageKind Recognise(ReadOnlySpan<byte> file)
    {
        bool elf = file.Length >= sizeof(uint) && BinaryPrimitives.ReadUInt32LittleEndian(file) == ElfMagic;
        if (elf && file.Length > ElfClassOffset && file[ElfClassOffset] == ElfClass64)
            return ImageKind.Elf;
        if (MultibootHeader.TryFind(file, out _))
            return ImageKind.Multiboot;
        if (elf)
            return ImageKind.Elf;
        bool isBootSector = file.Length == RealModeLoader.BootSectorBytes
            && BinaryPrimitives.ReadUInt16LittleEndian(file[^sizeof(ushort)..]) == RealModeLoader.BootSignature;
        return isBootSector ? ImageKind.BootSector : ImageKind.Flat;
    }
}
