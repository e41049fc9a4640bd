using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>Configuration mechanism 1: an address register at 0xCF8 and a window of four bytes at 0xCFC.</summary>
/// <param name="bus">What is configured.</param>
/// <remarks>
/// Only a doubleword access reaches the address register; narrower ones to its ports belong to whoever else is there, such as
/// <see cref="ResetControl"/> at 0xCF9.
/// </remarks>
public sealed class PciConfigurationPorts(PciBus bus) : IPortDevice, ISavedDevice
{
    /// <summary>The address register.</summary>
    public const ushort AddressPort = 0xCF8;

    /// <summary>Ports from <see cref="AddressPort"/> on that this device takes: the next is another's.</summary>
    public const int AddressPortCount = 1;

    /// <summary>The last two ports of the address register.</summary>
    public const ushort UpperAddressPort = 0xCFA;

    /// <summary>How many they are.</summary>
    public const int UpperAddressPortCount = 2;

    /// <summary>The window.</summary>
    public const ushort DataPort = 0xCFC;

    /// <summary>How many ports it has.</summary>
    public const int DataPortCount = 4;

    private const uint Enable = 1u << 31;
    private const uint Implemented = Enable | 0x00FF_FFFC;

    private uint _address;

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (port < DataPort)
            return port == AddressPort && size == 4 ? _address : PortBytes.Ones(size);
        int shift = port - DataPort;
        return (_address & Enable) != 0 && shift + size <= 4 ? bus.ReadConfiguration(Target(shift), size) : PortBytes.Ones(size);
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == AddressPort && size == 4)
            _address = value & Implemented;
        int shift = port - DataPort;
        if (port >= DataPort && (_address & Enable) != 0 && shift + size <= 4)
            bus.WriteConfiguration(Target(shift), value, size);
    }

    private uint Target(int shift) => (_address & ~Enable) + (uint)shift;

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_address);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _address = reader.ReadUInt32("address") & Implemented;
    }
}
