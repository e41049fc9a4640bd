using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The reset control register of a PC's chipset: the way by which firmware and kernels reset a machine without a keyboard controller.</summary>
/// <param name="reset">Who resets the machine.</param>
public sealed class ResetControl(IMachineReset reset) : IPortDevice, ISavedDevice
{
    /// <summary>The port.</summary>
    public const ushort Port = 0xCF9;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 1;

    // Bit 1 chooses between a reset of the processor and one of the whole machine, which is the same here; bit 2 does it as it becomes 1.
    private const byte Kind = 1 << 1;
    private const byte Reset = 1 << 2;

    private byte _value;

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => (PortBytes.Ones(size) & ~0xFFu) | _value;

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        bool resets = (value & ~_value & Reset) != 0;
        _value = (byte)(value & (Kind | Reset));
        if (resets)
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
