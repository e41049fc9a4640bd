namespace Mmu86.Devices;

/// <summary>Where a device sends the bytes that a guest writes for people to read.</summary>
public interface ISerialSink
{
    /// <summary>Takes one byte, in the order in which the guest sent it.</summary>
    void Write(byte value);
}
