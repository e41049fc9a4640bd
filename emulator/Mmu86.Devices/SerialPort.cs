using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A 16550 UART whose line has no speed: a byte is sent in the moment it is written.</summary>
/// <remarks>
/// Modelled: the divisor latch, FIFOs on the receiving side, the four interrupt sources with their priorities, loopback with the modem
/// lines, overrun in loopback. Approximated: the character timeout comes at once when fewer bytes wait than the trigger level asks for;
/// bytes from outside wait until there is room instead of overrunning. Absent: parity, framing and break.
/// An access of 2 or 4 bytes is as many accesses of one byte to consecutive ports, as an 8-bit device on an ISA bus sees it.
/// </remarks>
public sealed class SerialPort : IPortDevice, ISavedDevice
{
    /// <summary>The first port of COM1.</summary>
    public const ushort FirstPort = 0x3F8;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 8;

    private const int FifoBytes = 16;

    private const byte LineControlDivisorLatch = 1 << 7;

    private const byte ModemControlOut2 = 1 << 3;
    private const byte ModemControlLoopback = 1 << 4;
    private const byte ModemControlImplemented = 0x1F;

    private const byte LineStatusDataReady = 1 << 0;
    private const byte LineStatusOverrun = 1 << 1;
    private const byte LineStatusTransmitterEmpty = (1 << 5) | (1 << 6); // the holding register, and the shift register too

    private const byte EnableReceived = 1 << 0;
    private const byte EnableTransmitterEmpty = 1 << 1;
    private const byte EnableLineStatus = 1 << 2;
    private const byte EnableModemStatus = 1 << 3;
    private const byte EnableImplemented = 0x0F;

    private const byte IdentifyNothing = 0b0001;
    private const byte IdentifyModemStatus = 0b0000;
    private const byte IdentifyTransmitterEmpty = 0b0010;
    private const byte IdentifyReceived = 0b0100;
    private const byte IdentifyLineStatus = 0b0110;
    private const byte IdentifyTimeout = 0b1100;
    private const byte IdentifyFifos = 0b1100_0000;

    private const byte FifoEnable = 1 << 0;
    private const byte FifoClearReceiver = 1 << 1;

    private const byte ModemLines = 0xF0;
    private const byte ModemRing = 1 << 6;
    private const byte ModemConnected = (1 << 4) | (1 << 5) | (1 << 7); // CTS, DSR, DCD: somebody is there

    private readonly ISerialSink _sink;
    private readonly IInterruptLine _interrupt;
    private readonly Queue<byte> _received = new();
    private readonly Queue<byte> _waiting = new(); // from outside, not yet on the line
    private ushort _divisor = 12;
    private byte _interruptEnable;
    private byte _fifoControl;
    private byte _lineControl;
    private byte _modemControl;
    private byte _modemStatus = ModemConnected;
    private byte _scratch;
    private bool _overrun;
    private bool _transmitterEmptyPending;

    /// <summary>Makes one.</summary>
    /// <param name="sink">Where the bytes that the guest sends go.</param>
    /// <param name="interrupt">The line that the device raises: IRQ 4 for COM1.</param>
    public SerialPort(ISerialSink sink, IInterruptLine interrupt)
    {
        _sink = sink;
        _interrupt = interrupt;
    }

    private bool FifosEnabled => (_fifoControl & FifoEnable) != 0;

    private bool Loopback => (_modemControl & ModemControlLoopback) != 0;

    private bool DivisorLatch => (_lineControl & LineControlDivisorLatch) != 0;

    private int Room => (FifosEnabled ? FifoBytes : 1) - _received.Count;

    private int TriggerLevel => FifosEnabled ? (_fifoControl >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 } : 1;

    /// <summary>Brings bytes from outside. They wait until the guest has read those before them.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
            _waiting.Enqueue(value);
        TakeWaiting();
        UpdateInterrupt();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        uint value = PortBytes.Ones(size);
        for (int i = 0; i < size && (port & 7) + i < PortCount; i++)
        {
            value &= ~(0xFFu << (i * 8));
            value |= (uint)ReadRegister((port & 7) + i) << (i * 8);
        }

        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        for (int i = 0; i < size && (port & 7) + i < PortCount; i++)
            WriteRegister((port & 7) + i, (byte)(value >> (i * 8)));
    }

    private byte ReadRegister(int register)
    {
        byte value = register switch
        {
            0 => DivisorLatch ? (byte)_divisor : ReadReceived(),
            1 => DivisorLatch ? (byte)(_divisor >> 8) : _interruptEnable,
            2 => ReadIdentification(),
            3 => _lineControl,
            4 => _modemControl,
            5 => ReadLineStatus(),
            6 => ReadModemStatus(),
            _ => _scratch,
        };
        UpdateInterrupt();
        return value;
    }

    private void WriteRegister(int register, byte value)
    {
        switch (register)
        {
            case 0 when DivisorLatch:
                _divisor = (ushort)((_divisor & 0xFF00) | value);
                break;
            case 0:
                Send(value);
                break;
            case 1 when DivisorLatch:
                _divisor = (ushort)((_divisor & 0x00FF) | (value << 8));
                break;
            case 1:
                // The holding register is always empty, so enabling its interrupt asks for one at once.
                _transmitterEmptyPending |= (value & ~_interruptEnable & EnableTransmitterEmpty) != 0;
                _interruptEnable = (byte)(value & EnableImplemented);
                break;
            case 2:
                WriteFifoControl(value);
                break;
            case 3:
                _lineControl = value;
                break;
            case 4:
                WriteModemControl(value);
                break;
            case 7:
                _scratch = value;
                break;
            default:
                break; // line and modem status are read only
        }

        UpdateInterrupt();
    }

    private void Send(byte value)
    {
        if (!Loopback)
            _sink.Write(value);
        else if (Room > 0)
            _received.Enqueue(value);
        else
            _overrun = true;
        _transmitterEmptyPending = true;
    }

    private byte ReadReceived()
    {
        if (!_received.TryDequeue(out byte value))
            return 0;
        TakeWaiting();
        return value;
    }

    private void TakeWaiting()
    {
        while (!Loopback && Room > 0 && _waiting.TryDequeue(out byte value))
            _received.Enqueue(value);
    }

    private byte ReadIdentification()
    {
        byte source = Identify();
        if (source == IdentifyTransmitterEmpty)
            _transmitterEmptyPending = false;
        return (byte)(source | (FifosEnabled ? IdentifyFifos : 0));
    }

    private byte ReadLineStatus()
    {
        byte value = LineStatusTransmitterEmpty;
        if (_received.Count != 0)
            value |= LineStatusDataReady;
        if (_overrun)
            value |= LineStatusOverrun;
        _overrun = false;
        return value;
    }

    private byte ReadModemStatus()
    {
        byte value = _modemStatus;
        _modemStatus &= ModemLines;
        return value;
    }

    private void WriteFifoControl(byte value)
    {
        bool switched = ((value ^ _fifoControl) & FifoEnable) != 0;
        _fifoControl = (value & FifoEnable) != 0 ? value : (byte)0;
        if (switched || (value & FifoClearReceiver) != 0)
            _received.Clear();
        TakeWaiting();
    }

    private void WriteModemControl(byte value)
    {
        _modemControl = (byte)(value & ModemControlImplemented);

        // In loopback RTS, DTR, OUT1 and OUT2 come back as CTS, DSR, RI and DCD.
        byte lines = Loopback
            ? (byte)(((_modemControl & 0b0010) << 3) | ((_modemControl & 0b0001) << 5) | ((_modemControl & 0b1100) << 4))
            : ModemConnected;
        int changed = (lines ^ _modemStatus) & ModemLines;
        if ((lines & ModemRing) != 0)
            changed &= ~ModemRing; // only the end of ringing is an event
        _modemStatus = (byte)(lines | (_modemStatus & ~ModemLines) | (changed >> 4));
        TakeWaiting();
    }

    private byte Identify()
    {
        if ((_interruptEnable & EnableLineStatus) != 0 && _overrun)
            return IdentifyLineStatus;
        if ((_interruptEnable & EnableReceived) != 0 && _received.Count != 0)
            return _received.Count >= TriggerLevel ? IdentifyReceived : IdentifyTimeout;
        if ((_interruptEnable & EnableTransmitterEmpty) != 0 && _transmitterEmptyPending)
            return IdentifyTransmitterEmpty;
        if ((_interruptEnable & EnableModemStatus) != 0 && (_modemStatus & ~ModemLines) != 0)
            return IdentifyModemStatus;
        return IdentifyNothing;
    }

    private void UpdateInterrupt()
    {
        // On a PC, OUT2 connects the interrupt to the bus; loopback disconnects the pins, OUT2 among them.
        bool connected = (_modemControl & (ModemControlOut2 | ModemControlLoopback)) == ModemControlOut2;
        if (connected && Identify() != IdentifyNothing)
            _interrupt.Raise();
        else
            _interrupt.Lower();
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<byte>(_received.ToArray());
        writer.WriteArray<byte>(_waiting.ToArray());
        writer.Write(_divisor);
        writer.WriteArray<byte>([_interruptEnable, _fifoControl, _lineControl, _modemControl, _modemStatus, _scratch]);
        writer.Write(_overrun);
        writer.Write(_transmitterEmptyPending);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        byte[] received = reader.ReadBytes("received", FifoBytes);
        byte[] waiting = reader.ReadBytes("waiting", int.MaxValue);
        _divisor = reader.ReadUInt16("divisor");
        Span<byte> registers = stackalloc byte[6];
        reader.ReadArray("registers", registers);
        (_interruptEnable, _fifoControl, _lineControl, _modemControl, _modemStatus, _scratch) =
            (registers[0], registers[1], registers[2], registers[3], registers[4], registers[5]);
        _overrun = reader.ReadBoolean("overrun");
        _transmitterEmptyPending = reader.ReadBoolean("transmitterEmpty");
        _received.Clear();
        _waiting.Clear();
        Array.ForEach(received, _received.Enqueue);
        Array.ForEach(waiting, _waiting.Enqueue);
    }
}
