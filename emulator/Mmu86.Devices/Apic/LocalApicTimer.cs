using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The timer of a local APIC: one-shot, periodic, or by a deadline of the time-stamp counter. SDM 3, "APIC Timer".</summary>
/// <remarks>Its input, before the divider, is the virtual clock itself.</remarks>
/// <param name="processor">Whose time-stamp counter deadlines mean.</param>
internal sealed class LocalApicTimer(IProcessorRegisters processor) : ISavedDevice
{
    private uint _initial;
    private ulong _startedAt;
    private bool _isRunning;
    private ulong _deadline; // 0: disarmed
    private uint _divide;
    private ulong _now;

    /// <summary>Modes of bits 18:17 of the LVT entry.</summary>
    public enum TimerMode
    {
        OneShot,
        Periodic,
        Deadline,
        Reserved,
    }

    /// <summary>The mode. Going to or from deadlines disarms the timer.</summary>
    public TimerMode Mode
    {
        get;
        set
        {
            if ((field == TimerMode.Deadline) != (value == TimerMode.Deadline))
            {
                _isRunning = false;
                _initial = 0;
                _deadline = 0;
            }

            field = value;
        }
    }

    /// <summary>The initial count. Writing starts the timer, or stops it where it is 0.</summary>
    public uint InitialCount
    {
        get => _initial;
        set
        {
            if (Mode == TimerMode.Deadline)
                return;
            _initial = value;
            _startedAt = _now;
            _isRunning = value != 0;
        }
    }

    /// <summary>The current count.</summary>
    public uint CurrentCount
    {
        get
        {
            if (!_isRunning)
                return 0;
            ulong counted = (_now - _startedAt) / Divisor;
            return counted >= _initial ? 0 : _initial - (uint)counted;
        }
    }

    /// <summary>IA32_TSC_DEADLINE: 0 where the timer is not armed.</summary>
    public ulong Deadline
    {
        get => _deadline;
        set
        {
            if (Mode == TimerMode.Deadline)
                _deadline = value;
        }
    }

    /// <summary>The divide configuration register.</summary>
    public uint DivideConfiguration
    {
        get => _divide;
        set
        {
            // The count goes on from where it is.
            uint current = CurrentCount;
            _divide = value & 0b1011;
            if (_isRunning)
                _startedAt = _now - ((ulong)(_initial - current) * Divisor);
        }
    }

    /// <summary>When it ends its count next, in ticks of the virtual clock; the maximum where it does not run.</summary>
    public ulong NextEnd
    {
        get
        {
            if (Mode == TimerMode.Deadline)
                return _deadline == 0 ? ulong.MaxValue : Math.Max(_now, _deadline - Math.Min(_deadline, processor.TimeStampOffset));
            return _isRunning ? _startedAt + (_initial * Divisor) : ulong.MaxValue;
        }
    }

    // 3, 1, 0: 000 divides by 2, 001 by 4, ... 110 by 128, 111 by 1
    private ulong Divisor => ((_divide >> 1) & 4 | (_divide & 3)) switch { 7 => 1, var power => 2UL << (int)power };

    /// <summary>Brings the timer to a moment.</summary>
    /// <returns>Whether it ended its count on the way.</returns>
    public bool AdvanceTo(ulong now)
    {
        ulong end = NextEnd;
        _now = now;
        if (now < end)
            return false;
        switch (Mode)
        {
            case TimerMode.Deadline:
                _deadline = 0;
                break;
            case TimerMode.Periodic:
                ulong period = _initial * Divisor;
                _startedAt += (now - _startedAt) / period * period;
                break;
            default:
                _isRunning = false;
                break;
        }

        return true;
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write((byte)Mode);
        writer.Write(_initial);
        writer.Write(_startedAt);
        writer.Write(_isRunning);
        writer.Write(_deadline);
        writer.Write(_divide);
        writer.Write(_now);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        Mode = (TimerMode)(reader.ReadByte("timerMode") & 3); // first: a change of mode disarms
        _initial = reader.ReadUInt32("initialCount");
        _startedAt = reader.ReadUInt64("startedAt");
        _isRunning = reader.ReadBoolean("running");
        _deadline = reader.ReadUInt64("deadline");
        _divide = reader.ReadUInt32("divide") & 0b1011;
        _now = reader.ReadUInt64("now");
        if (_isRunning && _initial == 0)
            throw reader.Refuse("running", "is 1, and nothing is counted");
    }
}
