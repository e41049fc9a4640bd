using System.Runtime.InteropServices;
using Mmu86.Loaders.Elf;
using Mmu86.X86;

namespace Mmu86.Loaders.Bare;

/// <summary>Places a bare-metal image, ELF64 or flat, and makes what it starts with: identity-mapping page tables and a GDT.</summary>
/// <remarks>
/// What the loader makes lies at the top of RAM below 3 GiB, where an image seldom is: from the stack pointer up a frame with the GDT,
/// then the page tables to the end. The stack grows down from there. The guest may overwrite all of it once it has its own.
/// </remarks>
public static class BareLoader
{
    private const ushort CodeSelector = 0x08;
    private const ushort DataSelector = 0x10;
    private const ulong FrameBytes = 4096;

    private const Cr0 BareCr0 = Cr0.ProtectionEnable | Cr0.ExtensionType | Cr0.NumericError | Cr0.WriteProtect | Cr0.Paging;
    private const Cr4 BareCr4 = Cr4.PhysicalAddressExtension;
    private const Efer BareEfer = Efer.LongModeEnable | Efer.LongModeActive;

    // SDM 3, "Segment Descriptors": P=1, S=1, accessed, flat; type execute/read with L=1, and type read/write with B=1.
    private static ReadOnlySpan<ulong> Descriptors => [0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF];

    /// <summary>Places an ELF64 image by p_paddr; e_entry is a physical address too, for memory is identity-mapped.</summary>
    /// <param name="elf">The image.</param>
    /// <param name="memory">Guest memory, all zeros.</param>
    /// <param name="guestPage">The size of the pages that map RAM.</param>
    /// <exception cref="ImageNotSupportedException">The image is position-independent or needs a dynamic linker.</exception>
    /// <exception cref="ImageFormatException">A segment lies outside memory or overlaps another, or the entry is outside.</exception>
    public static BareImage Load(ElfFile elf, IGuestPhysicalMemory memory, PageSize guestPage)
    {
        if (elf.Interpreter is { } interpreter)
            throw new ImageNotSupportedException($"PT_INTERP asks for the dynamic linker {interpreter}; a bare image has none.");
        if (elf.Type == ElfType.PositionIndependent)
            throw new ImageNotSupportedException("e_type is 3 (position-independent); a bare image must be linked for its address (2).");

        var parts = new List<Part>();
        foreach (ElfSegment segment in elf.Segments.OrderBy(segment => segment.Physical.Value))
        {
            string name = $"Segment {segment.Index}: p_paddr {segment.Physical} with p_memsz 0x{segment.MemorySize:x}";
            if (parts.Count != 0 && parts[^1].Start.Value + parts[^1].SizeInBytes > segment.Physical.Value)
                throw new ImageFormatException($"{name} overlaps the segment at {parts[^1].Start}.");
            parts.Add(new Part(name, segment.Physical, segment.Bytes, segment.MemorySize, segment.Rights));
        }

        var entry = new GuestPhysicalAddress(elf.Entry.Value);
        if (!elf.Segments.Any(segment => segment.ContainsPhysical(entry.Value) && (segment.Rights & PageRights.Execute) != 0))
        {
            throw new ImageFormatException(
                $"e_entry 0x{entry.Value:x} lies outside the executable segments by p_paddr, where a bare image starts.");
        }

        return Place(parts, entry, elf.Symbols, memory, guestPage);
    }

    /// <summary>Places a flat image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="memory">Guest memory, all zeros.</param>
    /// <param name="guestPage">The size of the pages that map RAM.</param>
    /// <exception cref="ImageFormatException">The image lies outside memory.</exception>
    public static BareImage Load(FlatImage image, IGuestPhysicalMemory memory, PageSize guestPage)
    {
        const PageRights Everything = PageRights.Read | PageRights.Write | PageRights.Execute;
        string name = $"The flat image at the load address {image.LoadAddress} with 0x{image.Bytes.Length:x} bytes";
        var part = new Part(name, image.LoadAddress, image.Bytes, (ulong)image.Bytes.Length, Everything);
        return Place([part], image.Entry, SymbolTable.Empty, memory, guestPage);
    }

    private static BareImage Place(
        List<Part> parts, GuestPhysicalAddress entry, SymbolTable symbols, IGuestPhysicalMemory memory, PageSize guestPage)
    {
        var layout = new GuestPhysicalLayout(memory.SizeInBytes);
        ulong ownBytes = (1 + IdentityMap.CountTables(layout, guestPage)) * FrameBytes;
        if (ownBytes >= layout.LowTop.Value)
            throw new ImageFormatException($"The machine's memory (0x{memory.SizeInBytes:x} bytes) has no room for the page tables.");

        var own = new GuestPhysicalAddress(layout.LowTop.Value - ownBytes);
        foreach (Part part in parts)
            Check(part, layout, own);
        foreach (Part part in parts)
            memory.Write(part.Start, part.Bytes.Span);

        var frames = new GuestFrameAllocator(new GuestPhysicalAddress(own.Value + FrameBytes), layout.LowTop);
        var tables = new GuestPageTables(memory, frames);
        IdentityMap.Write(tables, layout, guestPage);
        ReadOnlySpan<byte> descriptors = MemoryMarshal.AsBytes(Descriptors);
        memory.Write(own, descriptors);
        return new BareImage
        {
            Cr0 = BareCr0,
            Cr3 = tables.Root,
            Cr4 = BareCr4,
            Efer = BareEfer,
            Entry = new LinearAddress(entry.Value),
            StackPointer = new LinearAddress(own.Value),
            GuestPage = guestPage,
            Symbols = symbols,
            Segments = [.. parts.Select(part => new PlacedSegment(new LinearAddress(part.Start.Value), part.SizeInBytes, part.Rights))],
            GdtBase = new LinearAddress(own.Value),
            GdtLimit = (ushort)(descriptors.Length - 1),
            CodeSelector = CodeSelector,
            DataSelector = DataSelector,
            MemorySizeInBytes = memory.SizeInBytes,
        };
    }

    private static void Check(Part part, GuestPhysicalLayout layout, GuestPhysicalAddress own)
    {
        if (!layout.IsRam(part.Start, part.SizeInBytes))
            throw new ImageFormatException($"{part.Name} {layout.Complaint(part.Start, part.SizeInBytes)}.");
        if (part.Start.Value < layout.LowTop.Value && part.Start.Value + part.SizeInBytes > own.Value)
            throw new ImageFormatException($"{part.Name} overlaps the loader's page tables ({own} to {layout.LowTop}).");
    }

    /// <summary>Bytes and their place, with the words that name them in a message.</summary>
    private sealed record Part(string Name, GuestPhysicalAddress Start, ReadOnlyMemory<byte> Bytes, ulong SizeInBytes, PageRights Rights);
}
