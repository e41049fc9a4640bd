using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>System control port A (0x92): fast A20 and fast reset.</summary>
/// <param name="a20">The A20 gate.</param>
/// <param name="reset">Who resets the machine.</param>
public sealed class SystemControlPortA(A20Gate a20, IMachineReset reset) : IPortDevice, ISavedDevice
{
    /// <summary>The port.</summary>
    public const ushort Port = 0x92;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 1;

    private const byte Reset = 1 << 0;
    private const byte A20 = 1 << 1;

    private byte _value;

    /// <inheritdoc/>
    public uint Read(ushort port, int size) =>
        (PortBytes.Ones(size) & ~0xFFu) | (uint)(_value & ~(Reset | A20)) | (a20.IsOpen ? A20 : 0u);

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        _value = (byte)value;
        a20.IsOpen = (value & A20) != 0;
        if ((value & Reset) != 0)
            reset.RequestReset();
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_value);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _value = reader.ReadByte("value");
    }
}
