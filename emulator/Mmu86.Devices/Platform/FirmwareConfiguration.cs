using System.Buffers.Binary;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The firmware configuration interface of virtual machines: a selector, and a port that gives the selected item byte by byte.</summary>
public sealed class FirmwareConfiguration : IPortDevice, ISavedDevice
{
    /// <summary>The selector; the data port follows it.</summary>
    public const ushort SelectorPort = 0x510;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 2;

    private const ushort Signature = 0x00;
    private const ushort InterfaceVersion = 0x01;
    private const ushort RamSize = 0x03;
    private const ushort CpuCount = 0x05;
    private const ushort MaximumCpuCount = 0x0F;

    private readonly Dictionary<ushort, byte[]> _items;
    private ushort _selector;
    private int _offset;

    /// <summary>Makes one.</summary>
    /// <param name="memoryBytes">RAM in bytes.</param>
    /// <param name="cpuCount">Processors that there are; no more can come.</param>
    public FirmwareConfiguration(ulong memoryBytes, ushort cpuCount)
    {
        byte[] memory = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(memory, memoryBytes);
        byte[] cpus = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(cpus, cpuCount);
        _items = new Dictionary<ushort, byte[]>
        {
            [Signature] = [(byte)'Q', (byte)'E', (byte)'M', (byte)'U'], // by which guests know the interface
            [InterfaceVersion] = [1, 0, 0, 0],                          // without DMA
            [RamSize] = memory,
            [CpuCount] = cpus,
            [MaximumCpuCount] = cpus,
        };
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (port == SelectorPort)
            return PortBytes.Ones(size);
        uint value = 0;
        for (int i = 0; i < size; i++)
            value |= (uint)Next() << (i * 8);
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port != SelectorPort)
            return; // items are read-only
        _selector = (ushort)(size == 1 ? (byte)value : value);
        _offset = 0;
    }

    // Zeros behind the end of an item, and for items that are not there.
    private byte Next() => _items.TryGetValue(_selector, out byte[]? item) && _offset < item.Length ? item[_offset++] : (byte)0;

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_selector);
        writer.Write(_offset);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _selector = reader.ReadUInt16("selector");
        _offset = reader.ReadInt32("offset", 0, int.MaxValue);
    }
}
