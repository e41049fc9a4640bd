using System.Buffers.Binary;

namespace Mmu86.Loaders.Elf;

/// <summary>Finds the symbol table among the sections. Nothing here is needed to run, so what is broken is simply not found.</summary>
internal static class ElfSections
{
    /// <summary>The bytes of one symbol of ELF64.</summary>
    public const int SymbolBytes = 24;

    private const int HeaderBytes = 64;
    private const uint SymbolTableType = 2;
    private const uint StringTableType = 3;

    /// <summary>The bytes of the first SHT_SYMTAB section and of its names.</summary>
    public static bool TryFindSymbols(ReadOnlyMemory<byte> file, ElfHeader header, out ReadOnlyMemory<byte> symbols, out ReadOnlyMemory<byte> names)
    {
        symbols = default;
        names = default;
        if (header.SectionHeaderBytes != HeaderBytes
            || !TrySlice(file, header.SectionHeaderOffset, (ulong)header.SectionHeaderCount * HeaderBytes, out ReadOnlyMemory<byte> table))
        {
            return false;
        }

        for (int index = 0; index < header.SectionHeaderCount; index++)
        {
            ReadOnlySpan<byte> section = table.Span.Slice(index * HeaderBytes, HeaderBytes);
            if (BinaryPrimitives.ReadUInt32LittleEndian(section[4..]) != SymbolTableType)
                continue;
            uint link = BinaryPrimitives.ReadUInt32LittleEndian(section[40..]);
            if (BinaryPrimitives.ReadUInt64LittleEndian(section[56..]) != SymbolBytes || link >= (uint)header.SectionHeaderCount)
                return false;
            ReadOnlySpan<byte> strings = table.Span.Slice((int)link * HeaderBytes, HeaderBytes);
            return BinaryPrimitives.ReadUInt32LittleEndian(strings[4..]) == StringTableType
                && TrySlice(file, section, out symbols)
                && TrySlice(file, strings, out names);
        }

        return false;
    }

    private static bool TrySlice(ReadOnlyMemory<byte> file, ReadOnlySpan<byte> section, out ReadOnlyMemory<byte> bytes) => TrySlice(
        file,
        BinaryPrimitives.ReadUInt64LittleEndian(section[24..]),
        BinaryPrimitives.ReadUInt64LittleEndian(section[32..]),
        out bytes);

    private static bool TrySlice(ReadOnlyMemory<byte> file, ulong offset, ulong length, out ReadOnlyMemory<byte> bytes)
    {
        bytes = default;
        if (offset > (ulong)file.Length || length > (ulong)file.Length - offset)
            return false;
        bytes = file.Slice((int)offset, (int)length);
        return true;
    }
}
