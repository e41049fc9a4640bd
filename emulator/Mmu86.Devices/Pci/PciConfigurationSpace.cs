using System.Buffers.Binary;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The configuration space of a function with a header of type 0 and at most one base address register, for ports.</summary>
/// <remarks>What software may write: the command, the base address register, the interrupt line. All else is read only.</remarks>
public sealed class PciConfigurationSpace : ISavedDevice
{
    /// <summary>Bytes of a configuration space.</summary>
    public const int SizeInBytes = 256;

    private const int Command = 0x04;
    private const int Status = 0x06;
    private const int BaseAddress0 = 0x10;
    private const int InterruptLineOffset = 0x3C;
    private const ushort CommandPorts = 1 << 0;
    private const ushort CommandMemory = 1 << 1;
    private const ushort CommandBusMaster = 1 << 2;
    private const ushort CommandInterruptDisable = 1 << 10;
    private const ushort CommandImplemented = CommandPorts | CommandMemory | CommandBusMaster | CommandInterruptDisable;
    private const byte StatusInterrupt = 1 << 3;
    private const uint IsPorts = 1;

    private readonly byte[] _bytes = new byte[SizeInBytes];
    private readonly byte[] _writable = new byte[SizeInBytes];
    private readonly int _portCount;

    /// <summary>Makes one as reset leaves it: nothing decoded, no address; the interrupt line is as the board is wired.</summary>
    /// <param name="identity">What the function is.</param>
    public PciConfigurationSpace(PciIdentity identity)
    {
        _portCount = identity.PortCount;
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes, identity.Vendor);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(2), identity.Device);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(8), (identity.ClassCode << 8) | identity.Revision);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(0x2C), identity.SubsystemVendor);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(0x2E), identity.Subsystem);
        _bytes[InterruptLineOffset] = identity.InterruptLine;
        _bytes[InterruptLineOffset + 1] = identity.InterruptLine == 0 ? (byte)0 : (byte)1; // INTA
        BinaryPrimitives.WriteUInt16LittleEndian(_writable.AsSpan(Command), CommandImplemented);
        _writable[InterruptLineOffset] = 0xFF;
        if (_portCount == 0)
            return;
        _bytes[BaseAddress0] = (byte)IsPorts;
        BinaryPrimitives.WriteUInt32LittleEndian(_writable.AsSpan(BaseAddress0), ~((uint)_portCount - 1));
    }

    /// <summary>Called behind every write.</summary>
    public Action? Written { get; set; }

    /// <summary>Whether software allows the function its interrupt.</summary>
    public bool AllowsInterrupt => (CommandWord & CommandInterruptDisable) == 0;

    /// <summary>The interrupt bit of the status register: the function asks, allowed or not.</summary>
    public bool IsInterrupting
    {
        get => (_bytes[Status] & StatusInterrupt) != 0;
        set => _bytes[Status] = value ? StatusInterrupt : (byte)0;
    }

    private ushort CommandWord => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(Command));

    /// <summary>Whether the function claims a port now.</summary>
    /// <param name="port">The port.</param>
    /// <param name="offset">How far it is from the first that is claimed.</param>
    public bool Claims(ushort port, out int offset)
    {
        offset = 0;
        if (_portCount == 0 || (CommandWord & CommandPorts) == 0)
            return false;
        uint start = BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(BaseAddress0)) & ~IsPorts;
        if (start == 0 || port < start || port - start >= (uint)_portCount)
            return false;
        offset = (int)(port - start);
        return true;
    }

    /// <summary>Reads 1, 2 or 4 bytes at an aligned offset.</summary>
    public uint Read(int offset, int size) => size switch
    {
        1 => _bytes[offset],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(offset)),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset)),
    };

    /// <summary>Writes 1, 2 or 4 bytes at an aligned offset: of them the bits that may be written.</summary>
    public void Write(int offset, uint value, int size)
    {
        for (int i = 0; i < size; i++)
        {
            int mask = _writable[offset + i];
            _bytes[offset + i] = (byte)((_bytes[offset + i] & ~mask) | ((int)(value >> (8 * i)) & mask));
        }

        Written?.Invoke();
    }

    /// <summary>Does what firmware does for kernels that it loads: gives the function its ports and lets it answer them and use memory.</summary>
    /// <param name="port">The first port, a multiple of their count.</param>
    public void InitialiseAsFirmware(ushort port)
    {
        Write(BaseAddress0, port, 4);
        Write(Command, CommandPorts | CommandBusMaster, 2);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<byte>(_bytes);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        Span<byte> bytes = stackalloc byte[SizeInBytes];
        reader.ReadArray("configuration", bytes);
        for (int offset = 0; offset < SizeInBytes; offset++)
        {
            if (((bytes[offset] ^ _bytes[offset]) & ~_writable[offset]) != 0 && offset != Status)
                throw reader.Refuse("configuration", $"is another than this function's at offset 0x{offset:x}");
        }

        bytes.CopyTo(_bytes);
    }
}
