using Mmu86.Loaders.Elf;
using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>Makes a Linux process of a static ELF64 executable: page tables, segments, stack, and the state at its first instruction.</summary>
public static class LinuxProcessLoader
{
    // Where a PC's firmware and legacy areas end; frames are given out from here up.
    private static readonly GuestPhysicalAddress FirstFrame = new(1UL << 20);

    /// <summary>What a Linux kernel leaves in the control registers: it matters to a process that SYSCALL, XD and WP are on.</summary>
    private const Cr0 ProcessCr0 = Cr0.ProtectionEnable | Cr0.MonitorCoprocessor | Cr0.ExtensionType | Cr0.NumericError
        | Cr0.WriteProtect | Cr0.AlignmentMask | Cr0.Paging;

    private const Cr4 ProcessCr4 = Cr4.PageSizeExtensions | Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable
        | Cr4.OsFxsr | Cr4.OsXmmExceptions;

    private const Efer ProcessEfer = Efer.SyscallEnable | Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable;

    /// <summary>Places an executable in empty guest memory.</summary>
    /// <param name="elf">The executable.</param>
    /// <param name="memory">Guest memory, all zeros.</param>
    /// <param name="options">What the process is started with.</param>
    /// <exception cref="ImageNotSupportedException">The executable needs a dynamic linker.</exception>
    /// <exception cref="ImageFormatException">A segment lies outside a process's addresses, or memory does not suffice.</exception>
    public static ProcessImage Load(ElfFile elf, IGuestPhysicalMemory memory, LinuxProcessOptions options)
    {
        if (elf.Interpreter is { } interpreter)
            throw new ImageNotSupportedException($"PT_INTERP asks for the dynamic linker {interpreter}; only static executables are supported.");

        ulong distance = elf.Type == ElfType.PositionIndependent ? ChooseDistance(elf) : 0;
        CheckEntry(elf);
        var layout = new GuestPhysicalLayout(memory.SizeInBytes);
        var frames = new GuestFrameAllocator(FirstFrame, layout.Top);
        var space = new ProcessAddressSpace(memory, frames, options.GuestPage);
        var placed = new List<PlacedSegment>();
        foreach (ElfSegment segment in elf.Segments)
            placed.Add(Place(segment, distance, space, memory));

        PageRights stackRights = PageRights.Read | PageRights.Write | (elf.StackIsExecutable ? PageRights.Execute : 0);
        if (space.MapImage(ProcessLayout.StackStart, ProcessLayout.StackBytes, stackRights) != AddressSpaceResult.Done)
            throw NoRoom(memory, "the stack", ProcessLayout.StackBytes, options.GuestPage);

        PlacedSegment last = placed[^1];
        ulong imageEnd = last.Start.Value + last.SizeInBytes;
        space.StartHeap(new LinearAddress((imageEnd + ProcessLayout.Granularity - 1) & ~(ProcessLayout.Granularity - 1)));

        var entry = new LinearAddress(elf.Entry.Value + distance);
        InitialStack stack = InitialStack.Build(options, DescribeImage(elf, distance, entry));
        space.Write(stack.Pointer, stack.Bytes);
        return new ProcessImage
        {
            AddressSpace = space,
            Cr0 = ProcessCr0,
            Cr3 = space.Root,
            Cr4 = ProcessCr4,
            Efer = ProcessEfer,
            Entry = entry,
            StackPointer = stack.Pointer,
            GuestPage = options.GuestPage,
            Symbols = elf.Symbols.Moved(distance),
            Segments = placed,
        };
    }

    /// <summary>How far a position-independent image moves up.</summary>
    private static ulong ChooseDistance(ElfFile elf)
    {
        ulong alignment = ProcessLayout.Granularity;
        foreach (ElfSegment segment in elf.Segments)
            alignment = Math.Max(alignment, segment.Alignment);
        ulong linkedAt = elf.Segments[0].Linear.Value & ~(alignment - 1);
        if (alignment > PageSize.Size1G.Bytes() || linkedAt > ProcessLayout.PositionIndependentBase.Value)
        {
            throw new ImageFormatException(
                $"Segment {elf.Segments[0].Index}: p_vaddr 0x{elf.Segments[0].Linear.Value:x} with p_align 0x{alignment:x} leaves no base for a position-independent image.");
        }

        return ProcessLayout.PositionIndependentBase.Value - linkedAt;
    }

    private static void CheckEntry(ElfFile elf)
    {
        foreach (ElfSegment segment in elf.Segments)
        {
            if (segment.ContainsLinear(elf.Entry.Value) && (segment.Rights & PageRights.Execute) != 0)
                return;
        }

        throw new ImageFormatException($"e_entry 0x{elf.Entry.Value:x} lies outside the executable segments (p_vaddr).");
    }

    private static PlacedSegment Place(ElfSegment segment, ulong distance, ProcessAddressSpace space, IGuestPhysicalMemory memory)
    {
        // Both sums fit: the address is checked first, a distance is below 2^47, and no size wraps (ElfProgramHeader.Check).
        ulong mappingEnd = ProcessLayout.MappingEnd.Value;
        ulong start = segment.Linear.Value > mappingEnd ? mappingEnd : segment.Linear.Value + distance;
        ulong end = start + Math.Min(segment.MemorySize, mappingEnd);
        if (start < ProcessLayout.Lowest.Value || end > mappingEnd)
        {
            throw new ImageFormatException(
                $"Segment {segment.Index}: p_vaddr 0x{segment.Linear.Value:x} with p_memsz 0x{segment.MemorySize:x} lies outside a process's addresses "
                + $"({ProcessLayout.Lowest} to {ProcessLayout.MappingEnd}).");
        }

        ulong firstPage = start & ~(ProcessLayout.Granularity - 1);
        ulong pagesEnd = (end + ProcessLayout.Granularity - 1) & ~(ProcessLayout.Granularity - 1);
        if (segment.MemorySize > memory.SizeInBytes
            || space.MapImage(new LinearAddress(firstPage), pagesEnd - firstPage, RightsWithFrame(segment.Rights)) != AddressSpaceResult.Done)
        {
            throw NoRoom(memory, $"segment {segment.Index}", segment.MemorySize, space.PageSize);
        }

        space.Write(new LinearAddress(start), segment.Bytes.Span);
        return new PlacedSegment(new LinearAddress(start), segment.MemorySize, segment.Rights);
    }

    /// <summary>A segment without rights still has bytes; x86 has no page that can be neither read nor faulted on, so it is readable.</summary>
    private static PageRights RightsWithFrame(PageRights rights) => rights == PageRights.None ? PageRights.Read : rights;

    private static List<(AuxiliaryType Type, ulong Value)> DescribeImage(ElfFile elf, ulong distance, LinearAddress entry)
    {
        var entries = new List<(AuxiliaryType Type, ulong Value)>();
        if (elf.ProgramHeaders is { } headers)
        {
            entries.Add((AuxiliaryType.ProgramHeaders, headers.Value + distance));
            entries.Add((AuxiliaryType.ProgramHeaderBytes, ElfHeader.ProgramHeaderBytes));
            entries.Add((AuxiliaryType.ProgramHeaderCount, (ulong)elf.ProgramHeaderCount));
        }

        entries.Add((AuxiliaryType.Entry, entry.Value));
        return entries;
    }

    private static ImageFormatException NoRoom(IGuestPhysicalMemory memory, string what, ulong bytes, PageSize size) => new(
        $"The machine's memory (0x{memory.SizeInBytes:x} bytes) has no room for {what} (0x{bytes:x} bytes in pages of {Name(size)}) and its page tables.");

    private static string Name(PageSize size) => size switch
    {
        PageSize.Size4K => "4 KiB",
        PageSize.Size2M => "2 MiB",
        PageSize.Size1G => "1 GiB",
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
