using System.Buffers.Binary;

namespace Mmu86.Loaders.Elf;

/// <summary>The ELF header, checked. System V ABI, "ELF Header".</summary>
internal readonly record struct ElfHeader
{
    /// <summary>e_phentsize of ELF64.</summary>
    public const int ProgramHeaderBytes = 56;

    /// <summary>EI_OSABI of an image that runs without an operating system.</summary>
    public const byte OsAbiStandalone = 255;

    private const int HeaderBytes = 64;
    private const byte Class64 = 2;
    private const byte LittleEndian = 1;
    private const uint CurrentVersion = 1;
    private const ushort MachineX86_64 = 62;

    // Linux refuses tables above 64 KiB; no executable comes near.
    private const int MaximumProgramHeaders = 65536 / ProgramHeaderBytes;

    public required byte OsAbi { get; init; }

    public required ushort Type { get; init; }

    public required ulong Entry { get; init; }

    public required ulong ProgramHeaderOffset { get; init; }

    public required int ProgramHeaderCount { get; init; }

    /// <summary>e_shoff, e_shentsize and e_shnum as the file has them: unchecked, for the symbol table reads them with care.</summary>
    public required ulong SectionHeaderOffset { get; init; }

    public required int SectionHeaderBytes { get; init; }

    public required int SectionHeaderCount { get; init; }

    public static ElfHeader Parse(ReadOnlySpan<byte> file)
    {
        if (file.Length < 4 || file[0] != 0x7F || file[1] != 'E' || file[2] != 'L' || file[3] != 'F')
            throw new ImageFormatException("EI_MAG is not 0x7f 'E' 'L' 'F': this is not an ELF file.");
        if (file.Length < HeaderBytes)
            throw new ImageFormatException($"The file ends inside the ELF header: e_ident to e_shstrndx take {HeaderBytes} bytes, the file has {file.Length}.");
        if (file[4] != Class64)
            throw new ImageFormatException($"EI_CLASS is {file[4]}{(file[4] == 1 ? " (32-bit)" : "")}; only 64-bit ELF files (2) can be loaded.");
        if (file[5] != LittleEndian)
            throw new ImageFormatException($"EI_DATA is {file[5]}{(file[5] == 2 ? " (big-endian)" : "")}; x86-64 files are little-endian (1).");
        if (file[6] != CurrentVersion)
            throw new ImageFormatException($"EI_VERSION is {file[6]}; the only version of ELF is 1.");

        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(file[18..]);
        if (machine != MachineX86_64)
            throw new ImageFormatException($"e_machine is {machine}; only x86-64 (62) can be loaded.");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(file[20..]);
        if (version != CurrentVersion)
            throw new ImageFormatException($"e_version is {version}; the only version of ELF is 1.");

        var header = new ElfHeader
        {
            OsAbi = file[7],
            Type = BinaryPrimitives.ReadUInt16LittleEndian(file[16..]),
            Entry = BinaryPrimitives.ReadUInt64LittleEndian(file[24..]),
            ProgramHeaderOffset = BinaryPrimitives.ReadUInt64LittleEndian(file[32..]),
            SectionHeaderOffset = BinaryPrimitives.ReadUInt64LittleEndian(file[40..]),
            ProgramHeaderCount = BinaryPrimitives.ReadUInt16LittleEndian(file[56..]),
            SectionHeaderBytes = BinaryPrimitives.ReadUInt16LittleEndian(file[58..]),
            SectionHeaderCount = BinaryPrimitives.ReadUInt16LittleEndian(file[60..]),
        };
        CheckType(header.Type);
        CheckProgramHeaderTable(header, BinaryPrimitives.ReadUInt16LittleEndian(file[54..]), (ulong)file.Length);
        return header;
    }

    private static void CheckType(ushort type)
    {
        if (type is (ushort)ElfType.Executable or (ushort)ElfType.PositionIndependent)
            return;
        string name = type switch
        {
            0 => " (no type)",
            1 => " (a relocatable object)",
            4 => " (a core dump)",
            _ => "",
        };
        throw new ImageFormatException($"e_type is {type}{name}; only executables (2, or 3 where static) can be loaded.");
    }

    private static void CheckProgramHeaderTable(ElfHeader header, int entryBytes, ulong fileLength)
    {
        if (header.ProgramHeaderCount == 0)
            throw new ImageFormatException("e_phnum is 0: there is nothing to load.");
        if (header.ProgramHeaderCount > MaximumProgramHeaders)
            throw new ImageFormatException($"e_phnum is {header.ProgramHeaderCount}; at most {MaximumProgramHeaders} program headers are accepted.");
        if (entryBytes != ProgramHeaderBytes)
            throw new ImageFormatException($"e_phentsize is {entryBytes}; program headers of ELF64 take {ProgramHeaderBytes} bytes.");
        if (header.ProgramHeaderOffset >= fileLength)
            throw new ImageFormatException($"e_phoff 0x{header.ProgramHeaderOffset:x} lies outside the file ({fileLength} bytes).");
        if ((ulong)(header.ProgramHeaderCount * ProgramHeaderBytes) > fileLength - header.ProgramHeaderOffset)
        {
            throw new ImageFormatException(
                $"e_phnum is {header.ProgramHeaderCount}, but the file ({fileLength} bytes) ends before that many headers from e_phoff 0x{header.ProgramHeaderOffset:x}.");
        }
    }
}
