using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Entries in a dictionary: zero where nothing was written, all ones outside a stated amount of RAM.</summary>
/// <param name="sizeInBytes">Bytes of RAM, from address 0.</param>
public sealed class SparseReferenceMemory(ulong sizeInBytes) : IReferenceMemory
{
    private readonly Dictionary<ulong, ulong> _entries = [];

    /// <summary>The entry at an address.</summary>
    public ulong this[HostPhysicalAddress address]
    {
        get => ReadEntry(address);
        set => _entries[address.Value] = value;
    }

    /// <inheritdoc/>
    public ulong ReadEntry(HostPhysicalAddress address) =>
        address.Value >= sizeInBytes ? ulong.MaxValue : _entries.GetValueOrDefault(address.Value);
}
