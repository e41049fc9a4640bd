namespace Mmu86.Devices;

/// <summary>The bridge between processor and PCI bus, as Intel's 440FX identifies itself: by it kernels know that mechanism 1 is real.</summary>
public sealed class HostBridge : IPciFunction
{
    /// <summary>The slot in which it is looked for.</summary>
    public const int Slot = 0;

    /// <inheritdoc/>
    public PciConfigurationSpace Configuration { get; } = new(new PciIdentity
    {
        Vendor = 0x8086,
        Device = 0x1237,
        ClassCode = 0x06_00_00,
        Revision = 2,
        SubsystemVendor = 0x1AF4,
        Subsystem = 0x1100,
        PortCount = 0,
        InterruptLine = 0,
    });

    /// <inheritdoc/>
    public uint ReadPort(int offset, int size) => PortBytes.Ones(size);

    /// <inheritdoc/>
    public void WritePort(int offset, uint value, int size)
    {
    }
}
