using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>One 8259A. Intel 8259A, "Programming the 8259A"; levels by pin as the edge/level control registers of later PCs.</summary>
/// <remarks>A pin is a wire from a device; a request that goes away before it is acknowledged makes a spurious interrupt 7, in edge mode too.</remarks>
public sealed class InterruptController8259 : ISavedDevice
{
    private const byte Initialise = 1 << 4;
    private const byte InitialiseLevel = 1 << 3;
    private const byte InitialiseSingle = 1 << 1;
    private const byte InitialiseWord4 = 1 << 0;
    private const byte Word4Automatic = 1 << 1;
    private const byte Word4FullyNested = 1 << 4;
    private const byte Command3 = 1 << 3;
    private const byte PollCommand = 1 << 2;
    private const byte PollRequested = 0x80;

    private byte _pins;
    private byte _request;
    private byte _inService;
    private byte _mask;
    private byte _lowestPriority = 7;
    private byte _baseVector;
    private int _expectedWord; // 2, 3 or 4 while the chip is being initialised, else 0
    private bool _hasWord4;
    private bool _isSingle;
    private bool _isLevelTriggered;
    private bool _isAutomatic;
    private bool _rotatesAutomatically;
    private bool _isFullyNested;
    private bool _hasSpecialMask;
    private bool _readsInService;
    private bool _polls;

    /// <summary>Pins on which a controller of the second rank hangs: special fully nested mode lets them interrupt while they are in service.</summary>
    public byte CascadePins { get; init; }

    /// <summary>Pins that are level-triggered whatever ICW1 says.</summary>
    public byte LevelPins { get; set; }

    /// <summary>OCW1: a set bit keeps its pin from interrupting.</summary>
    public byte Mask => _mask;

    /// <summary>Requests that were not acknowledged yet.</summary>
    public byte Requests => _request;

    /// <summary>Interrupts that were acknowledged and not ended.</summary>
    public byte InService => _inService;

    /// <summary>Whether the INT output is high.</summary>
    public bool IsInterrupting => Highest() >= 0;

    /// <summary>Drives a pin high.</summary>
    public void Raise(int pin)
    {
        var bit = (byte)(1 << pin);
        if ((_pins & bit) == 0)
            _request |= bit;
        _pins |= bit;
    }

    /// <summary>Drives a pin low. Its request goes with it.</summary>
    public void Lower(int pin)
    {
        var bit = (byte)(1 << pin);
        _pins &= (byte)~bit;
        _request &= (byte)~bit;
    }

    /// <summary>INTA: the pin of highest priority goes into service.</summary>
    /// <returns>The pin; 7 for a spurious interrupt, which leaves no trace.</returns>
    public int Acknowledge()
    {
        int pin = Highest();
        if (pin < 0)
            return 7;
        var bit = (byte)(1 << pin);
        if (!IsLevel(bit))
            _request &= (byte)~bit;
        if (!_isAutomatic)
            _inService |= bit;
        else if (_rotatesAutomatically)
            _lowestPriority = (byte)pin;
        return pin;
    }

    /// <summary>The vector of a pin.</summary>
    public byte Vector(int pin) => (byte)(_baseVector | pin);

    /// <summary>Reads the port with A0=0: the request or in-service register, or what a poll command asks for.</summary>
    public byte ReadCommand() => _polls ? Poll() : _readsInService ? _inService : _request;

    /// <summary>Reads the port with A0=1: the mask, or what a poll command asks for.</summary>
    public byte ReadData() => _polls ? Poll() : _mask;

    /// <summary>Writes the port with A0=0: ICW1, OCW2 or OCW3.</summary>
    public void WriteCommand(byte value)
    {
        if ((value & Initialise) != 0)
            WriteWord1(value);
        else if ((value & Command3) != 0)
            WriteCommand3(value);
        else
            WriteCommand2(value);
    }

    /// <summary>Writes the port with A0=1: ICW2 to ICW4 while the chip is initialised, else OCW1.</summary>
    public void WriteData(byte value)
    {
        switch (_expectedWord)
        {
            case 2:
                _baseVector = (byte)(value & 0xF8);
                _expectedWord = !_isSingle ? 3 : _hasWord4 ? 4 : 0;
                break;
            case 3: // who hangs on which pin is soldered
                _expectedWord = _hasWord4 ? 4 : 0;
                break;
            case 4:
                _isAutomatic = (value & Word4Automatic) != 0;
                _isFullyNested = (value & Word4FullyNested) != 0;
                _expectedWord = 0;
                break;
            default:
                _mask = value;
                break;
        }
    }

    private void WriteWord1(byte value)
    {
        _hasWord4 = (value & InitialiseWord4) != 0;
        _isSingle = (value & InitialiseSingle) != 0;
        _isLevelTriggered = (value & InitialiseLevel) != 0;
        _expectedWord = 2;
        _mask = 0;
        _inService = 0;
        _lowestPriority = 7;
        _hasSpecialMask = false;
        _readsInService = false;
        _polls = false;
        _isAutomatic = false;
        _rotatesAutomatically = false;
        _isFullyNested = false;

        // The edge sense is reset: a pin that is high must go low before it can ask again.
        _request = (byte)(_isLevelTriggered ? _pins : _pins & LevelPins);
    }

    // 7..5 R, SL, EOI; 2..0 the level where SL=1
    private void WriteCommand2(byte value)
    {
        int level = value & 7;
        switch (value >> 5)
        {
            case 0b001:
                EndHighest();
                break;
            case 0b011:
                End(level);
                break;
            case 0b101:
                if (EndHighest() is >= 0 and var ended)
                    _lowestPriority = (byte)ended;
                break;
            case 0b111:
                End(level);
                _lowestPriority = (byte)level;
                break;
            case 0b110:
                _lowestPriority = (byte)level;
                break;
            case 0b100:
                _rotatesAutomatically = true;
                break;
            case 0b000:
                _rotatesAutomatically = false;
                break;
            default:
                break; // 010 is no operation
        }
    }

    // 6 ESMM, 5 SMM, 2 P, 1 RR, 0 RIS
    private void WriteCommand3(byte value)
    {
        if ((value & 0x40) != 0)
            _hasSpecialMask = (value & 0x20) != 0;
        if ((value & PollCommand) != 0)
            _polls = true;
        else if ((value & 2) != 0)
            _readsInService = (value & 1) != 0;
    }

    private byte Poll()
    {
        _polls = false;
        return Highest() < 0 ? (byte)0 : (byte)(PollRequested | Acknowledge());
    }

    private int EndHighest()
    {
        // In special mask mode levels that are masked are not what a non-specific end means.
        int level = HighestOf((byte)(_hasSpecialMask ? _inService & ~_mask : _inService));
        if (level >= 0)
            End(level);
        return level;
    }

    private void End(int level) => _inService &= (byte)~(1 << level);

    private bool IsLevel(byte bit) => _isLevelTriggered || (LevelPins & bit) != 0;

    // The pin that interrupts; -1 where none does.
    private int Highest()
    {
        int request = HighestOf((byte)(_request & ~_mask));
        if (request < 0 || _expectedWord != 0)
            return -1;

        // Special mask mode: a level in service that is masked blocks nobody.
        int blocking = _hasSpecialMask ? _inService & ~_mask : _inService;
        if (_isFullyNested)
            blocking &= ~(CascadePins & (1 << request));
        int inService = HighestOf((byte)blocking);
        return inService < 0 || Rank(request) < Rank(inService) ? request : -1;
    }

    // 0 is the highest priority.
    private int Rank(int level) => (level - _lowestPriority - 1) & 7;

    private int HighestOf(byte levels)
    {
        if (levels == 0)
            return -1;
        int first = (_lowestPriority + 1) & 7;
        byte rotated = BitRotate(levels, first);
        return (BitOperations.TrailingZeroCount(rotated) + first) & 7;
    }

    private static byte BitRotate(byte value, int right) => (byte)((value >> right) | (value << (8 - right)));

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<byte>([_pins, _request, _inService, _mask, _lowestPriority, _baseVector, LevelPins]);
        writer.Write(_expectedWord);
        foreach (bool flag in (ReadOnlySpan<bool>)[_hasWord4, _isSingle, _isLevelTriggered, _isAutomatic, _rotatesAutomatically, _isFullyNested, _hasSpecialMask, _readsInService, _polls])
            writer.Write(flag);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        Span<byte> registers = stackalloc byte[7];
        reader.ReadArray("registers", registers);
        (_pins, _request, _inService, _mask, _lowestPriority, _baseVector, LevelPins) =
            (registers[0], registers[1], registers[2], registers[3], registers[4], registers[5], registers[6]);
        if (_lowestPriority > 7)
            throw reader.Refuse("registers", $"gives the lowest priority to pin {_lowestPriority}");
        _expectedWord = reader.ReadInt32("expectedWord", 0, 4);
        _hasWord4 = reader.ReadBoolean("hasWord4");
        _isSingle = reader.ReadBoolean("single");
        _isLevelTriggered = reader.ReadBoolean("levelTriggered");
        _isAutomatic = reader.ReadBoolean("automaticEnd");
        _rotatesAutomatically = reader.ReadBoolean("rotates");
        _isFullyNested = reader.ReadBoolean("fullyNested");
        _hasSpecialMask = reader.ReadBoolean("specialMask");
        _readsInService = reader.ReadBoolean("readsInService");
        _polls = reader.ReadBoolean("polls");
    }
}
