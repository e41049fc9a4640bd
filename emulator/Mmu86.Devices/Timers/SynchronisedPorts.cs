using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>In front of a device: before the guest accesses it every timed device is brought to now, so that none is seen as it was.</summary>
/// <param name="device">The device.</param>
/// <param name="timeline">The machine's time.</param>
public sealed class SynchronisedPorts(IPortDevice device, Timeline timeline) : IPortDevice
{
    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        timeline.Advance();
        uint value = device.Read(port, size);
        timeline.Touched?.Invoke();
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        timeline.Advance();
        device.Write(port, value, size);
        timeline.Touched?.Invoke();
    }
}
