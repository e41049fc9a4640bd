using Mmu86.Loaders.Elf;
using Mmu86.X86;

namespace Mmu86.Loaders.RealMode;

/// <summary>Places what starts in real-address mode.</summary>
public static class RealModeLoader
{
    /// <summary>Bytes of a boot sector; the last two are <see cref="BootSignature"/>.</summary>
    public const int BootSectorBytes = 512;

    /// <summary>The last word of a boot sector.</summary>
    public const ushort BootSignature = 0xAA55;

    private const ulong BootAddress = 0x7C00;
    private const byte FirstHardDisk = 0x80;

    private const ulong RomEnd = 0x10_0000;
    private const int LargestLowRom = 0x2_0000;
    private const int LargestRom = 0x4_0000;
    private const int SmallestRom = 0x1_0000;
    private const ushort ResetSegment = 0xF000;
    private const ulong ResetVector = 0xFFFF_FFF0;

    /// <summary>Places a boot sector at 0000:7C00, where firmware jumps to it. There is no firmware to call.</summary>
    /// <exception cref="ImageFormatException">The file is no boot sector.</exception>
    public static RealModeImage LoadBootSector(ReadOnlyMemory<byte> file, IGuestPhysicalMemory memory)
    {
        if (file.Length < BootSectorBytes || (file.Span[510] | (file.Span[511] << 8)) != BootSignature)
            throw new ImageFormatException($"A boot sector has {BootSectorBytes} bytes, the last two of which are 0x55 and 0xaa.");
        memory.Write(new GuestPhysicalAddress(BootAddress), file.Span[..BootSectorBytes]);
        return Make(0, BootAddress, FirstHardDisk, default, [new PlacedSegment(new LinearAddress(BootAddress), BootSectorBytes, PageRights.Execute)]);
    }

    /// <summary>Places a ROM below 4 GiB, where it starts at FFFFFFF0H, and its last 128 KiB below 1 MiB.</summary>
    /// <exception cref="ImageFormatException">Its size is none that a ROM has.</exception>
    public static RealModeImage LoadRom(ReadOnlyMemory<byte> file, IGuestPhysicalMemory memory)
    {
        if (file.Length is not (SmallestRom or LargestLowRom or LargestRom))
            throw new ImageFormatException($"A ROM has 64, 128 or 256 KiB; the file has {file.Length} bytes.");
        ReadOnlyMemory<byte> low = file[^Math.Min(file.Length, LargestLowRom)..];
        ulong start = RomEnd - (ulong)low.Length;
        memory.Write(new GuestPhysicalAddress(start), low.Span);
        return Make(ResetSegment, ResetVector, 0, file, [new PlacedSegment(new LinearAddress(start), (ulong)low.Length, PageRights.Execute)]);
    }

    private static RealModeImage Make(ushort segment, ulong entry, byte drive, ReadOnlyMemory<byte> rom, IReadOnlyList<PlacedSegment> segments) => new()
    {
        Cr0 = Cr0.ExtensionType,
        Cr3 = default,
        Cr4 = default,
        Efer = default,
        Entry = new LinearAddress(entry),
        StackPointer = new LinearAddress(segment == 0 ? BootAddress : 0),
        GuestPage = PageSize.Size4K,
        Symbols = SymbolTable.Empty,
        Segments = segments,
        CodeSegment = segment,
        BootDrive = drive,
        Rom = rom,
    };
}
