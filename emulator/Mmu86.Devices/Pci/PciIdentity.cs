namespace Mmu86.Devices;

/// <summary>What a PCI function says it is. PCI Local Bus Specification, "Configuration Space Organization".</summary>
public sealed record PciIdentity
{
    /// <summary>Who made it.</summary>
    public required ushort Vendor { get; init; }

    /// <summary>What the vendor calls it.</summary>
    public required ushort Device { get; init; }

    /// <summary>Base class, subclass and programming interface, 24 bits.</summary>
    public required uint ClassCode { get; init; }

    /// <summary>Its revision.</summary>
    public required byte Revision { get; init; }

    /// <summary>Who made the board.</summary>
    public required ushort SubsystemVendor { get; init; }

    /// <summary>What that vendor calls the board.</summary>
    public required ushort Subsystem { get; init; }

    /// <summary>Ports that base address register 0 claims: a power of two, at least 4; 0 for no register.</summary>
    public required int PortCount { get; init; }

    /// <summary>The line of the interrupt controllers that pin INTA leads to; 0 where it has no interrupt.</summary>
    public required byte InterruptLine { get; init; }
}
