namespace Mmu86.Devices;

/// <summary>A function on a PCI bus: its configuration space, and the ports that its base address register claims.</summary>
public interface IPciFunction
{
    /// <summary>The 256 bytes that software identifies and places it by.</summary>
    PciConfigurationSpace Configuration { get; }

    /// <summary>Answers IN at an offset into the ports that it claims.</summary>
    /// <param name="offset">Below the size of its base address register.</param>
    /// <param name="size">1, 2 or 4 bytes.</param>
    uint ReadPort(int offset, int size);

    /// <summary>Takes OUT at an offset into the ports that it claims.</summary>
    /// <inheritdoc cref="ReadPort"/>
    void WritePort(int offset, uint value, int size);
}
