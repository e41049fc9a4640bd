using System.Buffers.Binary;

namespace Mmu86.Tests.Loaders;

/// <summary>Small multiboot 1 files, byte by byte.</summary>
internal static class MultibootFile
{
    public const uint Magic = 0x1BAD_B002;
    public const int ElfHeaderBytes = 52;
    public const int CodeOffset = 0x80;

    /// <summary>An ELF32 whose only segment goes to 1 MiB: the header, then HLT.</summary>
    public static byte[] Elf()
    {
        byte[] file = new byte[0x100];
        ((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 1, 1, 1]).CopyTo(file);
        Half(file, 16, 2);
        Half(file, 18, 3);
        Word(file, 20, 1);
        Word(file, 24, 0x10_000C); // e_entry
        Word(file, 28, ElfHeaderBytes);
        Half(file, 40, ElfHeaderBytes);
        Half(file, 42, 32);
        Half(file, 44, 1);
        Words(file, ElfHeaderBytes, 1, CodeOffset, 0x10_0000, 0x10_0000, 0x80, 0x2000, 7, 0x80);
        Words(file, CodeOffset, Magic, 3, unchecked(0 - Magic - 3));
        file[CodeOffset + 12] = 0xF4;
        return file;
    }

    /// <summary>Raw bytes that the header's own fields place at 1 MiB.</summary>
    public static byte[] ByAddresses()
    {
        const uint Flags = 1 << 16;
        byte[] file = new byte[0x100];
        Words(file, 0x20, Magic, Flags, unchecked(0 - Magic - Flags), 0x10_0010, 0x10_0000, 0x10_00E0, 0x10_4000, 0x10_0030);
        file[0x40] = 0xF4;
        return file;
    }

    public static void Words(byte[] file, int offset, params ReadOnlySpan<uint> values)
    {
        for (int i = 0; i < values.Length; i++)
            Word(file, offset + (i * 4), values[i]);
    }

    public static void Word(byte[] file, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(offset), value);

    public static void Half(byte[] file, int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(offset), value);
}
