using System.Buffers.Binary;

namespace Mmu86.GuestPrograms;

/// <summary>Writes ELF32 files without sections: what multiboot loaders take, whatever code is inside.</summary>
internal static class Elf32ImageWriter
{
    private const int HeaderSize = 52;
    private const int ProgramHeaderSize = 32;
    private const int PageSize = 4096;

    /// <summary>A part of memory: some bytes of the file, then zeros.</summary>
    /// <param name="Address">Where it goes, a multiple of 4096.</param>
    /// <param name="Content">What the file holds of it.</param>
    /// <param name="SizeInBytes">Its size in memory.</param>
    public sealed record Part(uint Address, byte[] Content, uint SizeInBytes);

    /// <summary>Writes the image. The content of the first part comes right behind the headers' page, within the first 8 KiB.</summary>
    public static byte[] Write(uint entry, IReadOnlyList<Part> parts)
    {
        var image = new MemoryStream();
        image.SetLength(PageSize);
        var offsets = new int[parts.Count];
        for (int i = 0; i < parts.Count; i++)
        {
            offsets[i] = (int)image.Length;
            image.Position = image.Length;
            image.Write(parts[i].Content);
            image.SetLength((image.Length + PageSize - 1) & -PageSize);
        }

        byte[] file = image.ToArray();
        WriteHeader(file, entry, parts.Count);
        for (int i = 0; i < parts.Count; i++)
            WriteProgramHeader(file.AsSpan(HeaderSize + (ProgramHeaderSize * i)), parts[i], offsets[i]);
        return file;
    }

    private static void WriteHeader(Span<byte> image, uint entry, int parts)
    {
        const byte Class32 = 1, LittleEndian = 1, CurrentVersion = 1;
        const ushort Executable = 2, Machine386 = 3;
        ReadOnlySpan<byte> identification = [0x7F, (byte)'E', (byte)'L', (byte)'F', Class32, LittleEndian, CurrentVersion];
        identification.CopyTo(image);
        BinaryPrimitives.WriteUInt16LittleEndian(image[16..], Executable);
        BinaryPrimitives.WriteUInt16LittleEndian(image[18..], Machine386);
        BinaryPrimitives.WriteUInt32LittleEndian(image[20..], CurrentVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(image[24..], entry);
        BinaryPrimitives.WriteUInt32LittleEndian(image[28..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[40..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[42..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[44..], (ushort)parts);
    }

    private static void WriteProgramHeader(Span<byte> header, Part part, int offset)
    {
        const uint Load = 1, ReadWriteExecute = 7;
        BinaryPrimitives.WriteUInt32LittleEndian(header, Load);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)offset);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], part.Address);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], part.Address);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], (uint)part.Content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], part.SizeInBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(header[24..], ReadWriteExecute);
        BinaryPrimitives.WriteUInt32LittleEndian(header[28..], PageSize);
    }
}
