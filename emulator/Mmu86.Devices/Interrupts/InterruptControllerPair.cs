using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The two 8259A of a PC: 15 lines, the second controller on pin 2 of the first, and the edge/level control registers.</summary>
public sealed class InterruptControllerPair : IPortDevice, ISavedDevice
{
    /// <summary>The first port of the controller of lines 0 to 7.</summary>
    public const ushort FirstPort = 0x20;

    /// <summary>The first port of the controller of lines 8 to 15.</summary>
    public const ushort SecondPort = 0xA0;

    /// <summary>The edge/level control registers.</summary>
    public const ushort EdgeLevelPort = 0x4D0;

    /// <summary>How many ports the device takes at each place.</summary>
    public const int PortCount = 2;

    /// <summary>How many lines there are; line 2 is taken by the second controller.</summary>
    public const int LineCount = 16;

    private const int CascadePin = 2;

    // Timer, keyboard, cascade, clock and coprocessor are edge-triggered for good.
    private const byte FirstSelectable = 0b1111_1000;
    private const byte SecondSelectable = 0b1101_1110;

    private readonly InterruptController8259 _first = new() { CascadePins = 1 << CascadePin };
    private readonly InterruptController8259 _second = new();

    /// <summary>Whether an interrupt waits for its acknowledgement.</summary>
    public bool IsInterrupting => _first.IsInterrupting;

    /// <summary>Whether a line could interrupt, now or when it is raised: it and the way to it are not masked.</summary>
    public bool Listens(int line) => line < 8
        ? (_first.Mask & (1 << line)) == 0
        : (_second.Mask & (1 << (line - 8))) == 0 && (_first.Mask & (1 << CascadePin)) == 0;

    /// <summary>The wire to a line.</summary>
    public IInterruptLine Line(int line) => new Wire(this, line);

    /// <summary>INTA: takes the interrupt of highest priority into service.</summary>
    /// <returns>Its vector; that of line 7 or 15 for a spurious one.</returns>
    public byte Acknowledge()
    {
        int pin = _first.Acknowledge();
        return pin == CascadePin ? AcknowledgeSecond() : _first.Vector(pin);
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        byte value = port switch
        {
            FirstPort => _first.ReadCommand(),
            FirstPort + 1 => _first.ReadData(),
            SecondPort => _second.ReadCommand(),
            SecondPort + 1 => _second.ReadData(),
            EdgeLevelPort => _first.LevelPins,
            _ => _second.LevelPins,
        };
        if (port is SecondPort or SecondPort + 1)
            _first.Lower(CascadePin); // a poll acknowledges
        Cascade();
        return (PortBytes.Ones(size) & ~0xFFu) | value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        switch (port)
        {
            case FirstPort:
                _first.WriteCommand((byte)value);
                break;
            case FirstPort + 1:
                _first.WriteData((byte)value);
                break;
            case SecondPort:
                _second.WriteCommand((byte)value);
                break;
            case SecondPort + 1:
                _second.WriteData((byte)value);
                break;
            case EdgeLevelPort:
                _first.LevelPins = (byte)(value & FirstSelectable);
                break;
            default:
                _second.LevelPins = (byte)(value & SecondSelectable);
                break;
        }

        Cascade();
        if (size == 2)
            Write((ushort)(port + 1), value >> 8, 1);
    }

    private void Set(int line, bool isHigh)
    {
        InterruptController8259 controller = line < 8 ? _first : _second;
        if (isHigh)
            controller.Raise(line & 7);
        else
            controller.Lower(line & 7);
        if (line >= 8)
            Cascade();
    }

    private void Cascade()
    {
        if (_second.IsInterrupting)
            _first.Raise(CascadePin);
        else
            _first.Lower(CascadePin);
    }

    // An acknowledgement lets INT of the second controller go low, also where it rises again at once: an edge for the first.
    private byte AcknowledgeSecond()
    {
        byte vector = _second.Vector(_second.Acknowledge());
        _first.Lower(CascadePin);
        Cascade();
        return vector;
    }

    private sealed class Wire(InterruptControllerPair pair, int line) : IInterruptLine
    {
        public void Raise() => pair.Set(line, isHigh: true);

        public void Lower() => pair.Set(line, isHigh: false);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        _first.Save(writer);
        _second.Save(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _first.Load(reader);
        _second.Load(reader);
    }
}
