using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>System control port B (0x61): the speaker, the gate of counter 2, and the refresh bit that flips every 15 µs.</summary>
/// <param name="timer">Whose counter 2 it gates.</param>
/// <param name="clock">For the refresh bit.</param>
public sealed class SystemControlPortB(IntervalTimer timer, IDeviceClock clock) : IPortDevice, ISavedDevice
{
    /// <summary>The port.</summary>
    public const ushort Port = 0x61;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 1;

    private const byte Gate = 1 << 0;
    private const byte Implemented = 0x0F;
    private const byte Refresh = 1 << 4;
    private const byte SpeakerOutput = 1 << 5;
    private const ulong RefreshesPerSecond = 66_288; // every 18 cycles of the interval timer's clock

    private readonly Oscillator _refresh = new(clock.Frequency, RefreshesPerSecond);
    private byte _value;

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        uint value = _value;
        if ((_refresh.CyclesAt(clock.Now) & 1) != 0)
            value |= Refresh;
        if (timer.SpeakerOutput)
            value |= SpeakerOutput;
        return (PortBytes.Ones(size) & ~0xFFu) | value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        _value = (byte)(value & Implemented);
        timer.SetSpeakerGate((value & Gate) != 0);
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
