using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The 8042 of a PC with a keyboard on which nobody types: what start-up code asks it, the A20 gate and the reset line.</summary>
public sealed class KeyboardController : IPortDevice, ISavedDevice
{
    /// <summary>The data port.</summary>
    public const ushort DataPort = 0x60;

    /// <summary>Status when read, commands when written.</summary>
    public const ushort CommandPort = 0x64;

    /// <summary>How many ports the device takes at each place.</summary>
    public const int PortCount = 1;

    private const byte OutputFull = 1 << 0;
    private const byte SystemFlag = 1 << 2;
    private const byte LastWasCommand = 1 << 3;
    private const byte NotInhibited = 1 << 4;

    private const byte InterruptEnable = 1 << 0;
    private const byte KeyboardDisabled = 1 << 4;

    private const byte OutputPortReset = 1 << 0; // low: the processor is held in reset
    private const byte OutputPortA20 = 1 << 1;

    private const byte Acknowledged = 0xFA;
    private const byte SelfTestPassed = 0xAA;

    private readonly IInterruptLine _interrupt;
    private readonly A20Gate _a20;
    private readonly IMachineReset _reset;
    private readonly Queue<byte> _output = new();
    private byte _commandByte = SystemFlag;
    private byte _lastData;
    private byte? _commandWithData;
    private byte? _keyboardCommandWithData;
    private bool _lastWasCommand;

    /// <summary>Makes one.</summary>
    /// <param name="interrupt">IRQ 1.</param>
    /// <param name="a20">The A20 gate.</param>
    /// <param name="reset">Who resets the machine.</param>
    public KeyboardController(IInterruptLine interrupt, A20Gate a20, IMachineReset reset)
    {
        _interrupt = interrupt;
        _a20 = a20;
        _reset = reset;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        byte value = port == DataPort ? ReadData() : Status();
        return (PortBytes.Ones(size) & ~0xFFu) | value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        _lastWasCommand = port == CommandPort;
        if (port == CommandPort)
            Command((byte)value);
        else if (_commandWithData is { } command)
            CommandData(command, (byte)value);
        else
            Keyboard((byte)value);
        DriveLine();
    }

    private byte Status() =>
        (byte)(NotInhibited | (_commandByte & SystemFlag) | (_output.Count != 0 ? OutputFull : 0) | (_lastWasCommand ? LastWasCommand : 0));

    private byte ReadData()
    {
        if (_output.TryDequeue(out byte value))
            _lastData = value;
        _interrupt.Lower();
        DriveLine();
        return _lastData;
    }

    private void Command(byte command)
    {
        _commandWithData = null;
        switch (command)
        {
            case 0x20:
                _output.Enqueue(_commandByte);
                break;
            case 0x60 or 0xD1 or 0xD2 or 0xD3 or 0xD4:
                _commandWithData = command;
                break;
            case 0xA7: // disables the port of a mouse, of which there is none
            case 0xA8:
                break;
            case 0xA9:
            case 0xAB:
                _output.Enqueue(0); // the test of an interface found no fault
                break;
            case 0xAA:
                _commandByte |= SystemFlag;
                _output.Enqueue(0x55);
                break;
            case 0xAD:
                _commandByte |= KeyboardDisabled;
                break;
            case 0xAE:
                _commandByte = (byte)(_commandByte & ~KeyboardDisabled);
                break;
            case 0xC0:
                _output.Enqueue(0x80); // input port: the keyboard is not locked
                break;
            case 0xD0:
                _output.Enqueue((byte)(OutputPortReset | (_a20.IsOpen ? OutputPortA20 : 0)));
                break;
            case 0xDD or 0xDF:
                _a20.IsOpen = command == 0xDF;
                break;
            case >= 0xF0 when (command & 1) == 0:
                _reset.RequestReset(); // pulses the output port's bits that are clear: bit 0 is the reset line
                break;
        }
    }

    private void CommandData(byte command, byte value)
    {
        _commandWithData = null;
        switch (command)
        {
            case 0x60:
                _commandByte = value;
                break;
            case 0xD1:
                _a20.IsOpen = (value & OutputPortA20) != 0;
                if ((value & OutputPortReset) == 0)
                    _reset.RequestReset();
                break;
            case 0xD2:
                _output.Enqueue(value); // as if the keyboard had sent it
                break;
            default:
                break; // D3, D4: for the mouse
        }
    }

    private void Keyboard(byte command)
    {
        if (_keyboardCommandWithData is not null)
        {
            _keyboardCommandWithData = null;
            _output.Enqueue(Acknowledged);
            return;
        }

        switch (command)
        {
            case 0xEE:
                _output.Enqueue(0xEE);
                break;
            case 0xED or 0xF0 or 0xF3: // indicators, scan codes, rate: a byte follows
                _keyboardCommandWithData = command;
                _output.Enqueue(Acknowledged);
                break;
            case 0xF2:
                foreach (byte value in (ReadOnlySpan<byte>)[Acknowledged, 0xAB, 0x83])
                    _output.Enqueue(value);
                break;
            case 0xFF:
                _output.Enqueue(Acknowledged);
                _output.Enqueue(SelfTestPassed);
                break;
            default:
                _output.Enqueue(Acknowledged);
                break;
        }
    }

    private void DriveLine()
    {
        if (_output.Count != 0 && (_commandByte & InterruptEnable) != 0)
            _interrupt.Raise();
        else
            _interrupt.Lower();
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_a20.IsOpen);
        writer.WriteArray<byte>(_output.ToArray());
        writer.Write(_commandByte);
        writer.Write(_lastData);
        writer.Write(_commandWithData);
        writer.Write(_keyboardCommandWithData);
        writer.Write(_lastWasCommand);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _a20.IsOpen = reader.ReadBoolean("a20");
        _output.Clear();
        Array.ForEach(reader.ReadBytes("output", int.MaxValue), _output.Enqueue);
        _commandByte = reader.ReadByte("commandByte");
        _lastData = reader.ReadByte("lastData");
        _commandWithData = reader.ReadOptionalByte("commandWithData");
        _keyboardCommandWithData = reader.ReadOptionalByte("keyboardCommandWithData");
        _lastWasCommand = reader.ReadBoolean("lastWasCommand");
    }
}
