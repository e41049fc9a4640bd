using Mmu86.X86;

namespace Mmu86.Loaders.Elf;

/// <summary>A PT_LOAD program header: bytes of the file and where they go.</summary>
public sealed record ElfSegment
{
    /// <summary>The index of the program header, for messages.</summary>
    public required int Index { get; init; }

    /// <summary>p_vaddr, not yet moved by a base.</summary>
    public required LinearAddress Linear { get; init; }

    /// <summary>p_paddr: where a loader without paging places it.</summary>
    public required GuestPhysicalAddress Physical { get; init; }

    /// <summary>p_offset.</summary>
    public required ulong FileOffset { get; init; }

    /// <summary>The bytes that the file gives, p_filesz of them.</summary>
    public required ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>p_memsz in bytes: at least as many as the file gives, never zero. The rest is zeros.</summary>
    public required ulong MemorySize { get; init; }

    /// <summary>p_align in bytes: 1 or a power of two.</summary>
    public required ulong Alignment { get; init; }

    /// <summary>p_flags.</summary>
    public required PageRights Rights { get; init; }

    /// <summary>Whether p_vaddr to p_vaddr + p_memsz holds an address.</summary>
    public bool ContainsLinear(ulong address) => address - Linear.Value < MemorySize;

    /// <summary>Whether p_paddr to p_paddr + p_memsz holds an address.</summary>
    public bool ContainsPhysical(ulong address) => address - Physical.Value < MemorySize;
}
