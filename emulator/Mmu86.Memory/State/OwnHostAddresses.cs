namespace Mmu86.Memory;

/// <summary>The names of a machine that has a host for itself, at which guest-physical is host-physical: an address is its own name.</summary>
/// <param name="memory">The RAM.</param>
public sealed class OwnHostAddresses(HostMemory memory) : IHostAddressNames
{
    // Where a physical address may end at all: 52 bits.
    private const ulong AddressMask = 0x000F_FFFF_FFFF_FFFF;

    /// <inheritdoc/>
    public bool AreUnchanged => true;

    /// <summary>The RAM.</summary>
    public HostMemory Memory => memory;

    /// <inheritdoc/>
    public bool TryName(ulong address, out ulong name)
    {
        name = address;
        return (address & ~AddressMask) == 0;
    }

    /// <inheritdoc/>
    public bool TryResolve(ulong name, out ulong address)
    {
        address = name;
        return (name & ~AddressMask) == 0;
    }
}
