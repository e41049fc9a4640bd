using Mmu86.Loaders.Elf;
using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>A program that was placed in guest memory, and the state in which a virtual CPU starts it. Registers not named here are 0.</summary>
public abstract record GuestImage
{
    /// <summary>CR0 at the first instruction.</summary>
    public required Cr0 Cr0 { get; init; }

    /// <summary>The page tables that the loader made: the value of CR3.</summary>
    public required GuestPhysicalAddress Cr3 { get; init; }

    /// <summary>CR4 at the first instruction.</summary>
    public required Cr4 Cr4 { get; init; }

    /// <summary>IA32_EFER at the first instruction.</summary>
    public required Efer Efer { get; init; }

    /// <summary>RIP at the first instruction.</summary>
    public required LinearAddress Entry { get; init; }

    /// <summary>RSP at the first instruction; a multiple of 16.</summary>
    public required LinearAddress StackPointer { get; init; }

    /// <summary>The size of the pages that the loader's tables map.</summary>
    public required PageSize GuestPage { get; init; }

    /// <summary>The names in the file, at the addresses where they are now.</summary>
    public required SymbolTable Symbols { get; init; }

    /// <summary>What of the file went where, ascending by linear address.</summary>
    public required IReadOnlyList<PlacedSegment> Segments { get; init; }
}
