using Mmu86.Devices;
using Mmu86.Loaders;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>A guest's memory as its devices reach it. Only while the machine does not run.</summary>
/// <remarks>
/// An access to what the guest does not have is answered with false. That the host has no frame, or that a page is lost, is not the guest's doing and
/// is thrown as <see cref="HostMemoryExhaustedException"/> or <see cref="SwappedPageLostException"/>.
/// </remarks>
/// <param name="memory">The memory.</param>
public sealed class GuestDeviceMemory(IGuestPhysicalMemory memory) : IDeviceMemory
{
    private readonly GuestPhysicalLayout _layout = new(memory.SizeInBytes);

    /// <inheritdoc/>
    public bool TryRead(ulong address, Span<byte> destination)
    {
        if (!_layout.IsRam(new GuestPhysicalAddress(address), (ulong)destination.Length))
            return false;
        memory.Read(new GuestPhysicalAddress(address), destination);
        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(ulong address, ReadOnlySpan<byte> source)
    {
        if (!_layout.IsRam(new GuestPhysicalAddress(address), (ulong)source.Length))
            return false;
        memory.Write(new GuestPhysicalAddress(address), source);
        return true;
    }
}
