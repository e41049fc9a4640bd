using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>A page of a guest cannot be got back from the page store: a machine check for that machine, and its end.</summary>
public sealed class SwappedPageLostException : Exception
{
    /// <summary>Makes one.</summary>
    /// <param name="address">The page.</param>
    /// <param name="result"><see cref="PopulateResult.Corrupt"/> or <see cref="PopulateResult.Unreadable"/>.</param>
    public SwappedPageLostException(GuestPhysicalAddress address, PopulateResult result)
        : base($"machine check: the page at {address} {(result == PopulateResult.Corrupt ? "came back from swap with other bytes (its checksum differs)" : "cannot be read from swap")}")
    {
    }
}
