using System.Buffers.Binary;
using System.Numerics;
using Mmu86.X86;

namespace Mmu86.Loaders.Elf;

/// <summary>One program header as the file has it. System V ABI, "Program Header".</summary>
internal readonly record struct ElfProgramHeader
{
    public const uint Load = 1;
    public const uint Interpreter = 3;
    public const uint ProgramHeaders = 6;
    public const uint GnuStack = 0x6474_E551;

    public required int Index { get; init; }

    public required uint Type { get; init; }

    public required uint Flags { get; init; }

    public required ulong FileOffset { get; init; }

    public required ulong Linear { get; init; }

    public required ulong Physical { get; init; }

    public required ulong FileSize { get; init; }

    public required ulong MemorySize { get; init; }

    public required ulong Alignment { get; init; }

    public static ElfProgramHeader Read(ReadOnlySpan<byte> file, ElfHeader header, int index)
    {
        // The header was checked: the table lies in the file, so the offset fits an int.
        ReadOnlySpan<byte> entry = file.Slice((int)header.ProgramHeaderOffset + (index * ElfHeader.ProgramHeaderBytes), ElfHeader.ProgramHeaderBytes);
        return new ElfProgramHeader
        {
            Index = index,
            Type = BinaryPrimitives.ReadUInt32LittleEndian(entry),
            Flags = BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]),
            FileOffset = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
            Linear = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]),
            Physical = BinaryPrimitives.ReadUInt64LittleEndian(entry[24..]),
            FileSize = BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]),
            MemorySize = BinaryPrimitives.ReadUInt64LittleEndian(entry[40..]),
            Alignment = BinaryPrimitives.ReadUInt64LittleEndian(entry[48..]),
        };
    }

    /// <summary>Refuses a PT_LOAD header whose numbers contradict the file or each other.</summary>
    public void Check(ulong fileLength)
    {
        if (FileSize > MemorySize)
            throw Bad($"p_filesz 0x{FileSize:x} is larger than p_memsz 0x{MemorySize:x}");
        // Where a segment has no bytes, linkers write any offset, also one behind the end of the file.
        if (FileSize != 0 && FileOffset > fileLength)
            throw Bad($"p_offset 0x{FileOffset:x} lies outside the file ({fileLength} bytes)");
        if (FileSize != 0 && FileSize > fileLength - FileOffset)
            throw Bad($"p_filesz 0x{FileSize:x} from p_offset 0x{FileOffset:x} goes past the end of the file ({fileLength} bytes)");
        if (MemorySize > ulong.MaxValue - Linear)
            throw Bad($"p_memsz 0x{MemorySize:x} from p_vaddr 0x{Linear:x} wraps around the address space");
        if (MemorySize > ulong.MaxValue - Physical)
            throw Bad($"p_memsz 0x{MemorySize:x} from p_paddr 0x{Physical:x} wraps around the address space");
        if (Alignment > 1 && !BitOperations.IsPow2(Alignment))
            throw Bad($"p_align 0x{Alignment:x} is not a power of two");
        if (Alignment > 1 && FileSize != 0 && (unchecked(Linear - FileOffset) & (Alignment - 1)) != 0)
            throw Bad($"p_vaddr 0x{Linear:x} and p_offset 0x{FileOffset:x} differ modulo p_align 0x{Alignment:x}");
    }

    /// <summary>The segment of a checked PT_LOAD header.</summary>
    public ElfSegment ToSegment(ReadOnlyMemory<byte> file) => new()
    {
        Index = Index,
        Linear = new LinearAddress(Linear),
        Physical = new GuestPhysicalAddress(Physical),
        FileOffset = FileOffset,
        Bytes = FileSize == 0 ? default : file.Slice((int)FileOffset, (int)FileSize),
        MemorySize = MemorySize,
        Alignment = Math.Max(1, Alignment),
        Rights = (PageRights)(Flags & (uint)(PageRights.Read | PageRights.Write | PageRights.Execute)),
    };

    private ImageFormatException Bad(string what) => new($"Segment {Index}: {what}.");
}
