using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>Where the parts of a process lie in linear space. The same for all page sizes, so that only the tables differ.</summary>
/// <remarks>
/// <code>
/// 0x0000_0000_1000   lowest address of an image
/// p_vaddr            the image; the heap (brk) follows it
/// 0x5555_4000_0000   base of position-independent images
///       ...          mmap, from the top down
/// 0x7FFF_8000_0000   end of mmap; then 1 GiB that is never mapped, so that a stack that overflows faults
/// 0x7FFF_C000_0000   the stack, 8 MiB
/// </code>
/// </remarks>
public static class ProcessLayout
{
    /// <summary>The granularity of every range, whatever the pages are: AT_PAGESZ.</summary>
    public const ulong Granularity = 4096;

    /// <summary>The lowest address that an image or a mapping may use.</summary>
    public static readonly LinearAddress Lowest = new(0x1000);

    /// <summary>Where position-independent images go. Aligned to the largest page.</summary>
    public static readonly LinearAddress PositionIndependentBase = new(0x5555_4000_0000);

    /// <summary>One past the last address of images, heap and mappings.</summary>
    public static readonly LinearAddress MappingEnd = new(0x7FFF_8000_0000);

    /// <summary>The lowest byte of the stack. Aligned to the largest page: whatever the page size, the byte below faults.</summary>
    public static readonly LinearAddress StackStart = new(0x7FFF_C000_0000);

    /// <summary>The size of the stack in bytes.</summary>
    public const ulong StackBytes = 8 << 20;

    /// <summary>One past the highest byte of the stack.</summary>
    public static LinearAddress StackEnd => new(StackStart.Value + StackBytes);
}
