using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Physical memory of the emulated host as the reference walker sees it: 8-byte entries and nothing else.</summary>
/// <remarks>The reference walker only reads. What it would have written it reports, so that a test can compare.</remarks>
public interface IReferenceMemory
{
    /// <summary>Reads one paging-structure entry.</summary>
    /// <param name="address">A multiple of 8. May lie outside RAM.</param>
    /// <returns>The entry; all ones outside RAM, as an unclaimed bus answers.</returns>
    ulong ReadEntry(HostPhysicalAddress address);
}
