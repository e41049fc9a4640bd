using System.Buffers.Binary;

namespace Mmu86.GuestPrograms;

/// <summary>Makes a bootable disk of a ring-0 guest, so that other emulators run the very same image.</summary>
/// <remarks>
/// The disk starts by BIOS: a boot sector in real mode reads the rest, a few hundred KiB at most, to low memory and enters 64-bit mode; a
/// loader there builds page tables, puts the segments where they are linked and jumps to the guest in the state that Mmu86 starts it in.
/// <code>
/// linear   0x07C00  boot sector                     disk  sector 0
///          0x08000  loader, 64-bit code                   sector 1 and on
///          0x09000  first page tables, 4 GiB by 2 MiB pages
///          0x10000  the content of the segments
///          ...      the guest, as linked
///          tables   the guest's page tables, just below the stack
///          memory - 1 MiB   stack, down from the end of memory
/// </code>
/// </remarks>
public static class BootImage
{
    internal const uint LoaderAddress = 0x8000;
    internal const uint FirstTablesAddress = 0x9000;
    internal const int SectorSize = 512;
    private const uint ContentAddress = 0x1_0000;
    private const uint ContentEnd = 0x8_0000;
    private const ulong StackBytes = 1UL << 20;
    private const ulong LeastGuestAddress = 1UL << 20;
    private const ulong MemoryGranularity = 4UL << 20;

    /// <summary>Bochs takes only whole cylinders of 16 heads and 63 sectors.</summary>
    private const int CylinderSize = 16 * 63 * SectorSize;

    /// <summary>Makes the disk.</summary>
    /// <param name="bareImage">A ring-0 ELF64 image.</param>
    /// <param name="options">The machine it will run on.</param>
    /// <returns>A raw disk image of whole cylinders (16 heads, 63 sectors), half a megabyte for most guests.</returns>
    /// <exception cref="InvalidDataException">The image is not a standalone ELF64 file, or holds too much for low memory.</exception>
    /// <exception cref="GuestArgumentException">The guest does not fit the machine's memory, or the options make no machine.</exception>
    public static byte[] Create(byte[] bareImage, BootImageOptions options)
    {
        var elf = new Elf64ImageReader(bareImage);
        if (!elf.IsStandalone)
            throw new InvalidDataException("Only ring-0 images boot: EI_OSABI is not 255.");
        if (options.MemoryBytes is 0 or > 3 * GuestPageSize.OneGibibyte || options.MemoryBytes % MemoryGranularity != 0)
            throw new GuestArgumentException($"The memory of a boot image is {options.MemoryBytes} bytes; it must be a multiple of 4 MiB up to 3 GiB.");

        BootPageTables tables = BootPageTables.Below(options.MemoryBytes - StackBytes, options);
        CheckFit(elf, tables, options);
        byte[] content = Content(elf, out List<BootLoader.Copy> copies);
        byte[] loader = BootLoader.Assemble(tables, copies, elf.Entry, options.MemoryBytes);
        byte[] firstTables = FirstTables();

        int used = SectorSize + (int)(ContentAddress - LoaderAddress) + content.Length;
        var disk = new byte[(used + CylinderSize - 1) / CylinderSize * CylinderSize];
        BootSector.Assemble(sectorsToRead: (used - 1) / SectorSize).CopyTo(disk, 0);
        loader.CopyTo(disk, SectorSize);
        firstTables.CopyTo(disk, SectorSize + (int)(FirstTablesAddress - LoaderAddress));
        content.CopyTo(disk, SectorSize + (int)(ContentAddress - LoaderAddress));
        return disk;
    }

    private static void CheckFit(Elf64ImageReader elf, BootPageTables tables, BootImageOptions options)
    {
        ulong end = elf.Segments.Max(segment => segment.End);
        if (end > tables.Address)
            throw new GuestArgumentException($"The guest reaches up to 0x{end:X}, more than {options.MemoryBytes >> 20} MiB of memory with page tables and stack.");
        if (elf.Segments.Min(segment => segment.Address) < LeastGuestAddress)
            throw new InvalidDataException("The guest is linked below 1 MiB, where the boot loader is.");
    }

    private static byte[] Content(Elf64ImageReader elf, out List<BootLoader.Copy> copies)
    {
        var content = new MemoryStream();
        copies = [];
        foreach (Elf64ImageReader.Segment segment in elf.Segments)
        {
            copies.Add(new BootLoader.Copy(ContentAddress + (uint)content.Length, segment.Address, (uint)segment.FileSize, segment.MemorySize));
            content.Write(elf.Content(segment));
        }

        if (content.Length > ContentEnd - ContentAddress)
            throw new InvalidDataException($"The guest holds {content.Length} bytes of code and data, more than a boot image has room for.");
        return content.ToArray();
    }

    /// <summary>PML4, PDPT and four page directories that map 4 GiB to itself by 2 MiB pages.</summary>
    private static byte[] FirstTables()
    {
        const int TableSize = 4096, Directories = 4, EntriesPerTable = 512;
        var tables = new byte[TableSize * (2 + Directories)];
        Write(0, FirstTablesAddress + TableSize | BootPageTables.PresentAndWritable);
        for (int i = 0; i < Directories; i++)
            Write(TableSize + (8 * i), (ulong)(FirstTablesAddress + (TableSize * (2 + i))) | BootPageTables.PresentAndWritable);
        for (int i = 0; i < Directories * EntriesPerTable; i++)
            Write((2 * TableSize) + (8 * i), ((ulong)i << 21) | BootPageTables.PageSizeFlag | BootPageTables.PresentAndWritable);
        return tables;

        void Write(int offset, ulong entry) => BinaryPrimitives.WriteUInt64LittleEndian(tables.AsSpan(offset), entry);
    }
}
