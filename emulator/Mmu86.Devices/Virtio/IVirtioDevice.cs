using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>What is behind a virtio transport: a kind of device. VIRTIO 1.2, "Device Types".</summary>
public interface IVirtioDevice : ISavedDevice
{
    /// <summary>Its features that do not depend on the transport.</summary>
    uint Features { get; }

    /// <summary>How many virtqueues it has.</summary>
    int QueueCount { get; }

    /// <summary>Connects it. Once, before anything else.</summary>
    void Connect(VirtioPciTransport transport);

    /// <summary>Reads a byte of its configuration; 0 beyond the end.</summary>
    byte ReadConfiguration(int offset);

    /// <summary>The driver writes its configuration. What is read only stays as it is.</summary>
    /// <param name="offset">The first byte, perhaps beyond the end.</param>
    /// <param name="value">The value in the low bytes.</param>
    /// <param name="size">1, 2 or 4 bytes.</param>
    void WriteConfiguration(int offset, uint value, int size);

    /// <summary>Works on a queue of which the driver has said that it has something. Only while the machine does not run.</summary>
    /// <param name="index">Which one.</param>
    /// <param name="queue">At most what it holds now is to be taken: memory, and the queue with it, may change under the work.</param>
    void Serve(int index, VirtQueue queue);

    /// <summary>Finishes what time has finished. Only while the machine does not run.</summary>
    void ServeTime();

    /// <summary>The driver resets the device.</summary>
    void Reset();

    /// <summary>The driver has written the status, and the device is not reset.</summary>
    /// <param name="isDriven">Whether there is a driver that works with the device.</param>
    void DriverChanged(bool isDriven);
}
