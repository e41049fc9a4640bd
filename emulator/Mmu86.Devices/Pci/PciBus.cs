using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>PCI bus 0 of a machine: up to 32 devices of one function each, reached by configuration mechanism 1 and by the ports that they claim.</summary>
/// <remarks>PCI Local Bus Specification, "Configuration Mechanism #1".</remarks>
public sealed class PciBus : IPortDevice
{
    /// <summary>The first port from which devices may be reached: the ports below belong to the board.</summary>
    public const ushort FirstPort = 0x1000;

    /// <summary>How many ports that are.</summary>
    public const int PortCount = 0x10000 - FirstPort;

    /// <summary>Devices that a bus has room for.</summary>
    public const int SlotCount = 32;

    private readonly IPciFunction?[] _functions = new IPciFunction?[SlotCount];
    private readonly UnclaimedAccesses _unclaimed;

    /// <summary>Makes an empty bus.</summary>
    /// <param name="unclaimed">Told of ports that no device claims.</param>
    public PciBus(UnclaimedAccesses unclaimed) => _unclaimed = unclaimed;

    /// <summary>Puts a function into a slot.</summary>
    public void Add(int slot, IPciFunction function) => _functions[slot] = function;

    /// <summary>Reads a configuration space; all ones where there is no function.</summary>
    /// <param name="address">Bits 23:16 are the bus, 15:11 the slot, 10:8 the function, 7:0 the offset.</param>
    /// <param name="size">1, 2 or 4 bytes, that do not cross a doubleword.</param>
    public uint ReadConfiguration(uint address, int size) =>
        Find(address) is { } function ? function.Configuration.Read((byte)address, size) : PortBytes.Ones(size);

    /// <summary>Writes a configuration space; lost where there is no function.</summary>
    /// <inheritdoc cref="ReadConfiguration"/>
    public void WriteConfiguration(uint address, uint value, int size) => Find(address)?.Configuration.Write((byte)address, value, size);

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (Find(port, out int offset) is { } function)
            return function.ReadPort(offset, size);
        _unclaimed.NoteRead(port);
        return PortBytes.Ones(size);
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (Find(port, out int offset) is { } function)
            function.WritePort(offset, value, size);
        else
            _unclaimed.NoteWrite(port);
    }

    private IPciFunction? Find(uint address) => (address & 0x00FF_0700) == 0 ? _functions[(address >> 11) & 0x1F] : null;

    // Where software lets two claim a port, the one in the lower slot answers.
    private IPciFunction? Find(ushort port, out int offset)
    {
        foreach (IPciFunction? function in _functions)
        {
            if (function is not null && function.Configuration.Claims(port, out offset))
                return function;
        }

        offset = 0;
        return null;
    }
}
