using Mmu86.Loaders.Elf;
using Mmu86.X86;

namespace Mmu86.Loaders.Multiboot;

/// <summary>Places a multiboot 1 kernel, its modules and the information about the machine. Multiboot Specification 0.6.96.</summary>
/// <remarks>
/// The kernel goes where its ELF segments (p_paddr) or the header's address fields say. Modules follow behind it, each on a page of
/// its own. The information lies below 640 KiB where the kernel leaves room, else behind the modules: kernels take the memory behind
/// their own end before they look at anything. An ELF32 without a header is started the same way.
/// </remarks>
public static class MultibootLoader
{
    private const ulong FirstUsable = 0x1000;      // below are the tables of firmware
    private const ulong PreferredInformation = 0x9000;
    private const ulong LowMemoryEnd = 0x9_FC00;
    private const ulong AddressEnd = 1UL << 32;
    private const ulong PageMask = 0xFFF;

    /// <summary>Where ESP points: the manual of multiboot leaves it undefined, and nothing is here.</summary>
    private const ulong InitialStack = 0x7C00;

    /// <summary>Places a kernel.</summary>
    /// <param name="file">The file.</param>
    /// <param name="options">Command line and modules.</param>
    /// <param name="memory">Guest-physical memory, all zeros.</param>
    /// <exception cref="ImageFormatException">The file is not a kernel that can be placed, or memory has no room.</exception>
    public static MultibootImage Load(ReadOnlyMemory<byte> file, MultibootOptions options, IGuestPhysicalMemory memory)
    {
        bool isPlainElf = Elf32File.Is(file.Span) && !MultibootHeader.TryFind(file.Span, out _);
        MultibootHeader header = isPlainElf ? default : MultibootHeader.Parse(file.Span);
        Kernel kernel = header.SaysAddresses ? KernelByAddresses(file, header) : KernelByElf(file);
        var layout = new GuestPhysicalLayout(memory.SizeInBytes);
        foreach (Part part in kernel.Parts)
        {
            if (part.Size > AddressEnd || part.Start > AddressEnd - part.Size || !layout.IsRam(new GuestPhysicalAddress(part.Start), part.Size))
                throw new ImageFormatException($"{part.Name} {layout.Complaint(new GuestPhysicalAddress(part.Start), part.Size)}.");
            memory.Write(new GuestPhysicalAddress(part.Start), part.Bytes.Span);
        }

        ulong behind = kernel.Parts.Max(part => part.Start + part.Size);
        MultibootInformation.PlacedModule[] modules = PlaceModules(options.Modules, layout, memory, ref behind);
        ulong at = PlaceInformation(kernel.Parts, layout, MultibootInformation.Size(layout, options.CommandLine, options.Modules), behind);
        memory.Write(new GuestPhysicalAddress(at), MultibootInformation.Make(layout, options.CommandLine, modules, (uint)at));
        return new MultibootImage
        {
            Cr0 = Cr0.ProtectionEnable | Cr0.ExtensionType,
            Cr3 = default,
            Cr4 = default,
            Efer = default,
            Entry = new LinearAddress(kernel.Entry),
            StackPointer = new LinearAddress(InitialStack),
            GuestPage = PageSize.Size4K,
            Symbols = kernel.Symbols,
            Segments = [.. kernel.Parts.Select(part => new PlacedSegment(new LinearAddress(part.Start), part.Size, part.Rights))],
            Information = new GuestPhysicalAddress(at),
        };
    }

    private static Kernel KernelByAddresses(ReadOnlyMemory<byte> file, MultibootHeader header)
    {
        if (header.LoadAddress > header.HeaderAddress)
            throw new ImageFormatException($"load_addr 0x{header.LoadAddress:x} of the multiboot header lies above header_addr 0x{header.HeaderAddress:x}.");
        uint before = header.HeaderAddress - header.LoadAddress;
        if (before > header.Offset)
        {
            throw new ImageFormatException(
                $"load_addr 0x{header.LoadAddress:x} of the multiboot header lies 0x{before:x} bytes before the header, the file has 0x{header.Offset:x} there.");
        }

        int offset = header.Offset - (int)before;
        ulong length = header.LoadEndAddress == 0 ? (ulong)(file.Length - offset) : header.LoadEndAddress - (ulong)header.LoadAddress;
        if (header.LoadEndAddress != 0 && header.LoadEndAddress < header.LoadAddress)
            throw new ImageFormatException($"load_end_addr 0x{header.LoadEndAddress:x} of the multiboot header lies below load_addr 0x{header.LoadAddress:x}.");
        if (length > (ulong)(file.Length - offset))
            throw new ImageFormatException($"load_end_addr 0x{header.LoadEndAddress:x} of the multiboot header goes past the end of the file ({file.Length} bytes).");
        ulong end = header.LoadAddress + length;
        if (header.BssEndAddress != 0 && header.BssEndAddress < end)
            throw new ImageFormatException($"bss_end_addr 0x{header.BssEndAddress:x} of the multiboot header lies below the end of what is loaded (0x{end:x}).");
        ulong size = header.BssEndAddress == 0 ? length : header.BssEndAddress - (ulong)header.LoadAddress;
        if (header.EntryAddress < header.LoadAddress || header.EntryAddress >= header.LoadAddress + size)
            throw new ImageFormatException($"entry_addr 0x{header.EntryAddress:x} of the multiboot header lies outside what it loads.");
        const PageRights Everything = PageRights.Read | PageRights.Write | PageRights.Execute;
        var part = new Part("What the multiboot header loads", header.LoadAddress, file.Slice(offset, (int)length), size, Everything);
        return new Kernel([part], header.EntryAddress, SymbolTable.Empty);
    }

    private static Kernel KernelByElf(ReadOnlyMemory<byte> file)
    {
        const int ClassOffset = 4;
        const byte Class64 = 2;
        bool isWide = file.Length > ClassOffset && file.Span[ClassOffset] == Class64;
        if (isWide)
        {
            ElfFile elf = ElfFile.Parse(file);
            return FromSegments(elf.Segments, elf.Entry.Value, elf.Symbols);
        }

        Elf32File narrow = Elf32File.Parse(file);
        return FromSegments(narrow.Segments, narrow.Entry, narrow.Symbols);
    }

    // An entry by p_vaddr is one of p_paddr: paging is off.
    private static Kernel FromSegments(IReadOnlyList<ElfSegment> segments, ulong entry, SymbolTable symbols)
    {
        ElfSegment? inside = segments.FirstOrDefault(segment => segment.ContainsPhysical(entry));
        if (inside is null)
        {
            inside = segments.FirstOrDefault(segment => segment.ContainsLinear(entry));
            if (inside is null)
                throw new ImageFormatException($"e_entry 0x{entry:x} lies outside the segments.");
            entry = entry - inside.Linear.Value + inside.Physical.Value;
        }

        return new Kernel(
            [.. segments.Select(segment => new Part($"Segment {segment.Index} (p_paddr 0x{segment.Physical.Value:x})", segment.Physical.Value, segment.Bytes, segment.MemorySize, segment.Rights))],
            entry,
            symbols);
    }

    private static MultibootInformation.PlacedModule[] PlaceModules(
        IReadOnlyList<MultibootModule> modules, GuestPhysicalLayout layout, IGuestPhysicalMemory memory, ref ulong behind)
    {
        var placed = new List<MultibootInformation.PlacedModule>();
        foreach (MultibootModule module in modules)
        {
            behind = Math.Max((behind + PageMask) & ~PageMask, 1UL << 20);
            if (!layout.IsRam(new GuestPhysicalAddress(behind), (ulong)module.Bytes.Length))
                throw new ImageFormatException($"Module '{module.CommandLine}' ({module.Bytes.Length} bytes) has no room behind the kernel in memory (0x{memory.SizeInBytes:x} bytes).");
            memory.Write(new GuestPhysicalAddress(behind), module.Bytes.Span);
            placed.Add(new MultibootInformation.PlacedModule(new GuestPhysicalAddress(behind), module.Bytes.Length, module.CommandLine));
            behind += (ulong)module.Bytes.Length;
        }

        return [.. placed];
    }

    private static ulong PlaceInformation(IReadOnlyList<Part> parts, GuestPhysicalLayout layout, int size, ulong behind)
    {
        foreach (ulong at in (ReadOnlySpan<ulong>)[PreferredInformation, FirstUsable, LowMemoryEnd - (ulong)size - PageMask])
        {
            ulong start = at & ~PageMask;
            if (start + (ulong)size <= LowMemoryEnd && parts.All(part => part.Start >= start + (ulong)size || part.Start + part.Size <= start))
                return start;
        }

        ulong last = (behind + PageMask) & ~PageMask;
        if (!layout.IsRam(new GuestPhysicalAddress(last), (ulong)size))
            throw new ImageFormatException($"The multiboot information ({size} bytes) has no room behind the kernel.");
        return last;
    }

    private sealed record Kernel(IReadOnlyList<Part> Parts, ulong Entry, SymbolTable Symbols);

    /// <summary>Bytes and their place, with the words that name them in a message.</summary>
    private sealed record Part(string Name, ulong Start, ReadOnlyMemory<byte> Bytes, ulong Size, PageRights Rights);
}
