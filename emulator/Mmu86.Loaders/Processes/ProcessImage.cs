using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>A Linux process at its first instruction, in ring 3.</summary>
public sealed record ProcessImage : GuestImage
{
    /// <summary>Its linear space, for the calls that change it.</summary>
    public required ProcessAddressSpace AddressSpace { get; init; }

    /// <summary>Where the heap starts: the end of the image.</summary>
    public LinearAddress BreakStart => AddressSpace.BreakStart;
}
