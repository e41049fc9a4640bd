using System.Buffers.Binary;
using Mmu86.X86;

namespace Mmu86.Loaders.Elf;

/// <summary>A 32-bit ELF executable whose headers were checked: the container of kernels. What is inside may be 64-bit code.</summary>
/// <remarks>System V ABI, "Object Files". Symbols are not read.</remarks>
public sealed class Elf32File
{
    private const int HeaderBytes = 52;
    private const int ProgramHeaderBytes = 32;
    private const int MaximumProgramHeaders = 65536 / ProgramHeaderBytes;
    private const byte Class32 = 1;
    private const byte LittleEndian = 1;
    private const ushort Executable = 2;
    private const ushort Machine386 = 3;
    private const ushort MachineX86_64 = 62; // objcopy makes such files too

    private Elf32File(IReadOnlyList<ElfSegment> segments, uint entry)
    {
        Segments = segments;
        Entry = entry;
    }

    /// <summary>e_entry.</summary>
    public uint Entry { get; }

    /// <summary>The PT_LOAD segments with a size, in the order of the file; at least one.</summary>
    public IReadOnlyList<ElfSegment> Segments { get; }

    /// <summary>None.</summary>
    public SymbolTable Symbols => SymbolTable.Empty;

    /// <summary>Whether a file says that it is a 32-bit ELF file.</summary>
    public static bool Is(ReadOnlySpan<byte> file) =>
        file.Length > 4 && file[0] == 0x7F && file[1] == 'E' && file[2] == 'L' && file[3] == 'F' && file[4] == Class32;

    /// <summary>Reads and checks the headers.</summary>
    /// <param name="file">The whole file; kept, and not to be changed.</param>
    /// <exception cref="ImageFormatException">The headers are not those of an executable that can be placed.</exception>
    public static Elf32File Parse(ReadOnlyMemory<byte> file)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        CheckIdentity(bytes);
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]);
        ushort entryBytes = BinaryPrimitives.ReadUInt16LittleEndian(bytes[42..]);
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(bytes[44..]);
        if (count == 0)
            throw new ImageFormatException("e_phnum is 0: there is nothing to load.");
        if (count > MaximumProgramHeaders)
            throw new ImageFormatException($"e_phnum is {count}; at most {MaximumProgramHeaders} program headers are accepted.");
        if (entryBytes != ProgramHeaderBytes)
            throw new ImageFormatException($"e_phentsize is {entryBytes}; program headers of ELF32 take {ProgramHeaderBytes} bytes.");
        if (offset > (uint)bytes.Length || (uint)(count * ProgramHeaderBytes) > (uint)bytes.Length - offset)
            throw new ImageFormatException($"e_phoff 0x{offset:x} and e_phnum {count} go past the end of the file ({bytes.Length} bytes).");
        var segments = new List<ElfSegment>();
        for (int index = 0; index < count; index++)
        {
            ElfProgramHeader entry = Read(bytes.Slice((int)offset + (index * ProgramHeaderBytes), ProgramHeaderBytes), index);
            if (entry.Type != ElfProgramHeader.Load)
                continue;
            entry.Check((ulong)bytes.Length);
            if (entry.MemorySize != 0)
                segments.Add(entry.ToSegment(file));
        }

        return segments.Count == 0
            ? throw new ImageFormatException("The program headers have no PT_LOAD segment with a size: there is nothing to load.")
            : new Elf32File(segments, BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]));
    }

    private static void CheckIdentity(ReadOnlySpan<byte> file)
    {
        if (file.Length < 4 || file[0] != 0x7F || file[1] != 'E' || file[2] != 'L' || file[3] != 'F')
            throw new ImageFormatException("EI_MAG is not 0x7f 'E' 'L' 'F': this is not an ELF file.");
        if (file.Length < HeaderBytes)
            throw new ImageFormatException($"The file ends inside the ELF header: it takes {HeaderBytes} bytes, the file has {file.Length}.");
        if (file[4] != Class32)
            throw new ImageFormatException($"EI_CLASS is {file[4]}; a 32-bit ELF file has 1.");
        if (file[5] != LittleEndian)
            throw new ImageFormatException($"EI_DATA is {file[5]}; x86 files are little-endian (1).");
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(file[16..]);
        if (type != Executable)
            throw new ImageFormatException($"e_type is {type}; only executables (2) can be loaded.");
        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(file[18..]);
        if (machine is not (Machine386 or MachineX86_64))
            throw new ImageFormatException($"e_machine is {machine}; only 386 (3) and x86-64 (62) can be loaded.");
    }

    private static ElfProgramHeader Read(ReadOnlySpan<byte> entry, int index) => new()
    {
        Index = index,
        Type = Word(entry, 0),
        FileOffset = Word(entry, 4),
        Linear = Word(entry, 8),
        Physical = Word(entry, 12),
        FileSize = Word(entry, 16),
        MemorySize = Word(entry, 20),
        Flags = Word(entry, 24),
        Alignment = 0, // places nothing here, and linkers of kernels write what they like
    };

    private static uint Word(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);
}
