using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The 8254 of a PC: three counters at 1.193182 MHz. Counter 0 interrupts, counter 2 is gated by port 0x61.</summary>
public sealed class IntervalTimer : IPortDevice, ITimedDevice, ISavedDevice
{
    /// <summary>The first of the ports: three counters and the control word register.</summary>
    public const ushort FirstPort = 0x40;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 4;

    /// <summary>Cycles of the clock inputs in one second.</summary>
    public const ulong Frequency = 1_193_182;

    private const int Counters = 3;
    private const int ReadBack = 3;

    // Loading, a fall and a rise: after these either a rise was seen or there is none.
    private const int MostChangesFollowed = 4;

    private readonly IntervalTimerChannel[] _channels = [new(), new(), new()];
    private readonly IInterruptLine _interrupt;
    private readonly Func<bool> _isListenedTo;
    private readonly Oscillator _oscillator;
    private ulong _cycle;

    /// <summary>Makes one.</summary>
    /// <param name="interrupt">The output of counter 0: IRQ 0.</param>
    /// <param name="isListenedTo">Whether anybody would notice that output.</param>
    /// <param name="clockFrequency">Ticks of the virtual clock in one second.</param>
    public IntervalTimer(IInterruptLine interrupt, Func<bool> isListenedTo, ulong clockFrequency)
    {
        _interrupt = interrupt;
        _isListenedTo = isListenedTo;
        _oscillator = new Oscillator(clockFrequency, Frequency);
        _channels[2].SetGate(false, 0);
    }

    /// <inheritdoc/>
    public bool IsWanted => _isListenedTo();

    /// <inheritdoc/>
    public ulong NextChange => _oscillator.TicksAt(_channels[0].NextChange(_cycle));

    /// <summary>The output of counter 2, at the moment to which the device was brought last.</summary>
    public bool SpeakerOutput => _channels[2].Output(_cycle);

    /// <inheritdoc/>
    public void AdvanceTo(ulong now)
    {
        ulong cycle = _oscillator.CyclesAt(now);

        // Who listens is told of every change. Where nobody did, what matters of the changes passed over is the last rise.
        bool hasRisen = RisesIn(_cycle, cycle);
        _cycle = cycle;
        foreach (IntervalTimerChannel channel in _channels)
            channel.Advance(cycle);
        if (hasRisen)
        {
            _interrupt.Lower();
            _interrupt.Raise();
        }

        DriveLine();
    }

    /// <summary>Drives the gate of counter 2.</summary>
    public void SetSpeakerGate(bool isHigh) => _channels[2].SetGate(isHigh, _cycle);

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        int counter = port & 3;
        uint value = counter < Counters ? _channels[counter].Read(_cycle) : 0xFFu; // the control word register cannot be read
        return (PortBytes.Ones(size) & ~0xFFu) | value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        int counter = port & 3;
        if (counter < Counters)
            _channels[counter].Write((byte)value, _cycle);
        else
            WriteControl((byte)value);
        DriveLine();
    }

    // 7..6 counter, or 11 read-back; 5..4 access, or 00 latch
    private void WriteControl(byte value)
    {
        int counter = value >> 6;
        if (counter == ReadBack)
            WriteReadBack(value);
        else if ((value & 0x30) == 0)
            _channels[counter].LatchCount(_cycle);
        else
            _channels[counter].WriteControl(value);
    }

    // 5 count not latched, 4 status not latched, 3..1 the counters
    private void WriteReadBack(byte value)
    {
        for (int counter = 0; counter < Counters; counter++)
        {
            if ((value & (2 << counter)) == 0)
                continue;
            if ((value & 0x20) == 0)
                _channels[counter].LatchCount(_cycle);
            if ((value & 0x10) == 0)
                _channels[counter].LatchStatus(_cycle);
        }
    }

    // Whether the output of counter 0 rose on the way.
    private bool RisesIn(ulong from, ulong to)
    {
        ulong at = from;
        for (int changes = 0; changes < MostChangesFollowed; changes++)
        {
            ulong change = _channels[0].NextChange(at);
            if (change > to)
                return false;
            if (change != at && !_channels[0].Output(at) && _channels[0].Output(change))
                return true;
            at = change;
        }

        return false;
    }

    private void DriveLine()
    {
        if (_channels[0].Output(_cycle))
            _interrupt.Raise();
        else
            _interrupt.Lower();
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_cycle);
        foreach (IntervalTimerChannel channel in _channels)
            channel.Save(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _cycle = reader.ReadUInt64("cycle");
        foreach (IntervalTimerChannel channel in _channels)
            channel.Load(reader);
    }
}
