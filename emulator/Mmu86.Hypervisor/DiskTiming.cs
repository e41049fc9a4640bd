using Mmu86.Devices;
using Mmu86.Hypervisor.Swap;
using Mmu86.Memory;

namespace Mmu86.Hypervisor;

/// <summary>A guest's disk in simulated time: a device of the same kind as those that hosts swap to, of the guest's own.</summary>
/// <param name="timing">The device.</param>
public sealed class DiskTiming(SwapDeviceModel timing) : IBlockTiming
{
    /// <inheritdoc/>
    public ulong Complete(BlockOperation operation, ulong offset, int bytes, ulong now) =>
        timing.Complete(operation == BlockOperation.Read ? SwapOperation.Read : SwapOperation.Write, offset, bytes, now);

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        timing.Save(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        timing.Load(reader);
    }
}
