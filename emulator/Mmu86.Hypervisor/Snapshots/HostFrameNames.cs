using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>The names of a machine whose whole host is saved and restored: every frame is the one that it was, so an address is its own name, if the machine may have it.</summary>
/// <param name="memory">RAM of the host.</param>
/// <param name="frames">Whose each frame is.</param>
/// <param name="owner">The machine.</param>
internal sealed class HostFrameNames(HostMemory memory, HostFrameAllocator frames, ushort owner) : IHostAddressNames
{
    /// <inheritdoc/>
    public bool AreUnchanged => true;

    /// <inheritdoc/>
    public bool TryName(ulong address, out ulong name)
    {
        name = address;
        return IsOwn(address);
    }

    /// <inheritdoc/>
    public bool TryResolve(ulong name, out ulong address)
    {
        address = name;
        return IsOwn(name);
    }

    // What is no RAM is the device hole, which is the same for all.
    private bool IsOwn(ulong address)
    {
        var at = new HostPhysicalAddress(address);
        if (!memory.IsRam(at))
            return address is >= HostMemory.HoleStart and < HostMemory.HoleEnd;
        return frames.OwnerOf(at.Frame) is var has && (has == owner || has == HostFrameAllocator.SharedOwner);
    }
}
