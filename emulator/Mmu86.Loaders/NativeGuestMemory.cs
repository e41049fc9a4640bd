using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>Guest-physical memory of a machine without nested paging: guest-physical is host-physical.</summary>
/// <param name="host">The RAM of the emulated host. Not owned.</param>
public sealed class NativeGuestMemory(HostMemory host) : IGuestPhysicalMemory
{
    /// <inheritdoc/>
    public ulong SizeInBytes => host.SizeInBytes;

    /// <inheritdoc/>
    public void Read(GuestPhysicalAddress address, Span<byte> destination) => host.Read(new HostPhysicalAddress(address.Value), destination);

    /// <inheritdoc/>
    public void Write(GuestPhysicalAddress address, ReadOnlySpan<byte> source) => host.Write(new HostPhysicalAddress(address.Value), source);

    /// <inheritdoc/>
    public void Clear(GuestPhysicalAddress address, ulong length) => host.Clear(new HostPhysicalAddress(address.Value), length);
}
