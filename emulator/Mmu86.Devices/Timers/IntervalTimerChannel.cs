using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>One counter of an 8254. Intel 8254, "Mode Definitions". Time is in cycles of its clock input.</summary>
/// <remarks>Nothing is simulated cycle by cycle: count and output follow from the cycles since the counter was loaded.</remarks>
internal sealed class IntervalTimerChannel : ISavedDevice
{
    private const byte NullCount = 1 << 6;
    private const byte OutputHigh = 1 << 7;
    private const ulong MostReload = 0x1_0000;

    private byte _control = 0b0011_0000; // mode 0, low byte then high byte
    private ulong _reload = 0x1_0000;
    private ulong? _nextReload; // takes the count's place when its period ends, or with the next trigger
    private ulong _nextLoadAt;
    private bool _isArmed; // a count was written that a trigger may load
    private ulong _loadedAt = ulong.MaxValue; // the count holds its initial value at this cycle; none yet
    private ulong _stoppedFor; // cycles counted when the gate went low
    private bool _isGateHigh = true;
    private bool _outputAtTrigger;
    private byte? _lowWritten;
    private bool _isHighNext;
    private ushort? _latchedCount;
    private byte? _latchedStatus;

    private int Mode => ((_control >> 1) & 7) switch { 6 => 2, 7 => 3, var mode => mode };

    private int Access => (_control >> 4) & 3;

    private bool IsDecimal => (_control & 1) != 0;

    private bool IsPeriodic => Mode is 2 or 3;

    private bool IsTriggered => Mode is 1 or 5;

    /// <summary>The output at a cycle. <see cref="Advance"/> comes first.</summary>
    public bool Output(ulong cycle)
    {
        if (Elapsed(cycle) is not { } counted)
            return Mode != 0;
        if (IsTriggered && cycle < _loadedAt)
            return _outputAtTrigger;
        return Mode switch
        {
            0 or 1 => counted >= _reload,
            2 => !_isGateHigh || counted % _reload != _reload - 1,
            3 => !_isGateHigh || counted % _reload < (_reload + 1) / 2,
            _ => counted != _reload,
        };
    }

    /// <summary>The first cycle behind one at which the output changes; the maximum where it will not.</summary>
    public ulong NextChange(ulong cycle)
    {
        if (Elapsed(cycle) is not { } counted || (!_isGateHigh && !IsTriggered))
            return ulong.MaxValue;
        ulong start = cycle - counted;
        if (cycle < _loadedAt)
            return _loadedAt; // the count is loaded then: nothing changes, but from there on it is known
        ulong? change = Mode switch
        {
            0 or 1 => counted < _reload ? _reload : null,
            2 => counted % _reload == _reload - 1 ? counted + 1 : counted - (counted % _reload) + _reload - 1,
            3 => counted % _reload < (_reload + 1) / 2 && _reload > 1
                ? counted - (counted % _reload) + ((_reload + 1) / 2)
                : counted - (counted % _reload) + _reload,
            _ => counted < _reload ? _reload : counted == _reload ? _reload + 1 : null,
        };
        return change is { } at ? start + at : ulong.MaxValue;
    }

    /// <summary>Puts a count that was written while another ran in force, if its time has come.</summary>
    public void Advance(ulong cycle)
    {
        if (_nextReload is not { } next || !IsPeriodic || !_isGateHigh || cycle < _nextLoadAt)
            return;
        _loadedAt = _nextLoadAt;
        _reload = next;
        _nextReload = null;
    }

    /// <summary>A control word for this counter: mode and access. Not a latch command.</summary>
    public void WriteControl(byte value)
    {
        _control = (byte)(value & 0x3F);
        _isArmed = false;
        _loadedAt = ulong.MaxValue;
        _nextReload = null;
        _stoppedFor = 0;
        _lowWritten = null;
        _isHighNext = false;
        _latchedCount = null;
        _latchedStatus = null;
    }

    /// <summary>Counter latch command, or the count part of a read-back command.</summary>
    public void LatchCount(ulong cycle) => _latchedCount ??= Count(cycle);

    /// <summary>The status part of a read-back command.</summary>
    public void LatchStatus(ulong cycle)
    {
        bool isNull = _loadedAt == ulong.MaxValue || cycle < _loadedAt || _nextReload is not null;
        _latchedStatus ??= (byte)(_control | (isNull ? NullCount : 0) | (Output(cycle) ? OutputHigh : 0));
    }

    /// <summary>Reads a byte: the latched status, the latched count, or the count as it is.</summary>
    public byte Read(ulong cycle)
    {
        if (_latchedStatus is { } status)
        {
            _latchedStatus = null;
            return status;
        }

        ushort count = _latchedCount ?? Count(cycle);
        bool isHigh = Access == 2 || (Access == 3 && _isHighNext);
        if (Access == 3)
            _isHighNext = !_isHighNext;
        if (Access != 3 || isHigh)
            _latchedCount = null;
        return (byte)(isHigh ? count >> 8 : count);
    }

    /// <summary>Writes a byte of a new count.</summary>
    public void Write(byte value, ulong cycle)
    {
        switch (Access)
        {
            case 1:
                Load(value, cycle);
                break;
            case 2:
                Load((ushort)(value << 8), cycle);
                break;
            default:
                if (_lowWritten is { } low)
                {
                    _lowWritten = null;
                    Load((ushort)((value << 8) | low), cycle);
                }
                else
                {
                    _lowWritten = value;
                    if (Mode == 0)
                        _loadedAt = ulong.MaxValue; // the first byte stops the count and the output goes low
                }

                break;
        }
    }

    /// <summary>Drives the gate input.</summary>
    public void SetGate(bool isHigh, ulong cycle)
    {
        if (isHigh == _isGateHigh)
            return;
        if (isHigh)
            RaiseGate(cycle);
        else if (!IsTriggered && _loadedAt != ulong.MaxValue)
            _stoppedFor = Elapsed(cycle) ?? 0;
        _isGateHigh = isHigh;
    }

    private void RaiseGate(ulong cycle)
    {
        if (IsTriggered || IsPeriodic)
        {
            // A trigger: the count is loaded with the next cycle.
            _outputAtTrigger = Output(cycle);
            _reload = _nextReload ?? _reload;
            _nextReload = null;
            if (IsTriggered ? _isArmed : _loadedAt != ulong.MaxValue)
                _loadedAt = cycle + 1;
        }
        else if (_loadedAt != ulong.MaxValue)
        {
            _loadedAt = cycle - _stoppedFor;
        }
    }

    private void Load(ushort written, ulong cycle)
    {
        ulong count = IsDecimal ? FromDecimal(written) : written;
        if (count == 0)
            count = IsDecimal ? 10_000UL : 0x1_0000;
        bool isRunning = _loadedAt != ulong.MaxValue;
        _isArmed = true;
        if (isRunning && (IsTriggered || IsPeriodic))
        {
            // Mode 3 takes it at the end of a half-cycle, here at the end of the whole one.
            _nextReload = count;
            _nextLoadAt = cycle < _loadedAt ? _loadedAt : _loadedAt + ((((cycle - _loadedAt) / _reload) + 1) * _reload);
            return;
        }

        if (IsTriggered)
        {
            _reload = count;
            return;
        }

        _reload = count;
        _loadedAt = cycle + 1;
        _stoppedFor = 0;
    }

    // Cycles counted at a cycle; null where nothing was loaded yet.
    private ulong? Elapsed(ulong cycle)
    {
        if (_loadedAt == ulong.MaxValue)
            return null;
        if (!_isGateHigh && !IsTriggered)
            return _stoppedFor;
        return cycle < _loadedAt ? 0 : cycle - _loadedAt;
    }

    private ushort Count(ulong cycle)
    {
        ulong counted = Elapsed(cycle) ?? 0;
        ulong modulus = IsDecimal ? 10_000UL : 0x1_0000;
        ulong count = Mode switch
        {
            2 => _reload - (counted % _reload),
            3 => SquareCount(counted % _reload),
            _ => (_reload + modulus - (counted % modulus)) % modulus,
        };
        return (ushort)(IsDecimal ? ToDecimal(count % modulus) : count);
    }

    // Counts by two, twice in a period; of an odd count one less.
    private ulong SquareCount(ulong inPeriod)
    {
        ulong half = (_reload + 1) / 2;
        ulong inHalf = inPeriod < half ? inPeriod : inPeriod - half;
        return (_reload & ~1UL) - (2 * inHalf);
    }

    private static ulong FromDecimal(ushort value) =>
        (ulong)((value & 15) + (((value >> 4) & 15) * 10) + (((value >> 8) & 15) * 100) + ((value >> 12) * 1000));

    private static ulong ToDecimal(ulong value) =>
        (value % 10) | ((value / 10 % 10) << 4) | ((value / 100 % 10) << 8) | ((value / 1000 % 10) << 12);

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_control);
        writer.Write(_reload);
        writer.Write(_nextReload);
        writer.Write(_nextLoadAt);
        writer.Write(_isArmed);
        writer.Write(_loadedAt);
        writer.Write(_stoppedFor);
        writer.Write(_isGateHigh);
        writer.Write(_outputAtTrigger);
        writer.Write(_lowWritten);
        writer.Write(_isHighNext);
        writer.Write((ulong?)_latchedCount);
        writer.Write(_latchedStatus);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _control = (byte)(reader.ReadByte("control") & 0x3F);
        _reload = reader.ReadUInt64("reload", 1, MostReload);
        _nextReload = reader.ReadOptional("nextReload");
        if (_nextReload is 0 or > MostReload)
            throw reader.Refuse("nextReload", "is no count");
        _nextLoadAt = reader.ReadUInt64("nextLoadAt");
        _isArmed = reader.ReadBoolean("armed");
        _loadedAt = reader.ReadUInt64("loadedAt");
        _stoppedFor = reader.ReadUInt64("stoppedFor");
        _isGateHigh = reader.ReadBoolean("gate");
        _outputAtTrigger = reader.ReadBoolean("outputAtTrigger");
        _lowWritten = reader.ReadOptionalByte("lowWritten");
        _isHighNext = reader.ReadBoolean("highNext");
        _latchedCount = (ushort?)reader.ReadOptional("latchedCount");
        _latchedStatus = reader.ReadOptionalByte("latchedStatus");
    }
}
