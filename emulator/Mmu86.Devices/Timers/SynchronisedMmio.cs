using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>As <see cref="SynchronisedPorts"/>, for a device in memory.</summary>
/// <param name="device">The device.</param>
/// <param name="timeline">The machine's time.</param>
public sealed class SynchronisedMmio(IMmioDevice device, Timeline timeline) : IMmioDevice
{
    /// <inheritdoc/>
    public ulong Read(ulong offset, int size)
    {
        timeline.Advance();
        ulong value = device.Read(offset, size);
        timeline.Touched?.Invoke();
        return value;
    }

    /// <inheritdoc/>
    public void Write(ulong offset, ulong value, int size)
    {
        timeline.Advance();
        device.Write(offset, value, size);
        timeline.Touched?.Invoke();
    }
}
