using System.Buffers.Binary;

namespace Mmu86.Loaders;

/// <summary>Tells the kinds of guest image apart by their first bytes.</summary>
public static class ImageRecognition
{
    private const uint ElfMagic = 0x464C_457F;
    private const int ElfClassOffset = 4;
    private const byte ElfClass64 = 2;
    private const uint MultibootMagic = 0x1BAD_B002;

    // The multiboot 1 specification, "OS image format": the header lies in the first 8192 bytes, on a multiple of 4.
    private const int MultibootSearchBytes = 8192;
    private const int MultibootHeaderBytes = 12;

    /// <summary>The kind of a file. What is nothing else is flat.</summary>
    /// <remarks>An ELF64 is an ELF even if it carries a multiboot header: a multiboot 1 loader takes ELF32 only.</remarks>
    public static ImageKind Recognise(ReadOnlySpan<byte> file)
    {
        bool elf = file.Length >= sizeof(uint) && BinaryPrimitives.ReadUInt32LittleEndian(file) == ElfMagic;
        if (elf && file.Length > ElfClassOffset && file[ElfClassOffset] == ElfClass64)
            return ImageKind.Elf;
        if (HasMultibootHeader(file))
            return ImageKind.Multiboot;
        return elf ? ImageKind.Elf : ImageKind.Flat;
    }

    /// <summary>Refuses the kinds that have no loader yet.</summary>
    /// <exception cref="ImageNotSupportedException">The kind is multiboot or ROM.</exception>
    public static void RequireSupported(ImageKind kind)
    {
        if (kind == ImageKind.Multiboot)
            throw new ImageNotSupportedException("Multiboot images are not supported yet.");
        if (kind == ImageKind.Rom)
            throw new ImageNotSupportedException("ROM images are not supported yet.");
    }

    private static bool HasMultibootHeader(ReadOnlySpan<byte> file)
    {
        int last = Math.Min(file.Length, MultibootSearchBytes) - MultibootHeaderBytes;
        for (int offset = 0; offset <= last; offset += sizeof(uint))
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(file[offset..]) != MultibootMagic)
                continue;
            uint flags = BinaryPrimitives.ReadUInt32LittleEndian(file[(offset + 4)..]);
            uint checksum = BinaryPrimitives.ReadUInt32LittleEndian(file[(offset + 8)..]);
            if (unchecked(MultibootMagic + flags + checksum) == 0)
                return true;
        }

        return false;
    }
}
