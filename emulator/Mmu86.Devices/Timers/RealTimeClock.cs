using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The MC146818 of a PC with its 128 bytes of CMOS memory. Motorola MC146818, "Address Map" and "Registers".</summary>
/// <remarks>It begins at 2000-01-01 00:00:00 in every run and follows the virtual clock. Absent: alarms, daylight saving time.</remarks>
public sealed class RealTimeClock : IPortDevice, ITimedDevice, ISavedDevice
{
    /// <summary>The index port, whose bit 7 masks NMI; the data port follows it.</summary>
    public const ushort IndexPort = 0x70;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 2;

    private const int Bytes = 128;
    private const byte NmiMask = 0x80;

    private const int RegisterA = 0x0A;
    private const int RegisterB = 0x0B;
    private const int RegisterC = 0x0C;
    private const int RegisterD = 0x0D;
    private const int Century = 0x32;

    private const byte UpdateInProgress = 0x80;
    private const byte Halted = 0x80;            // B: SET
    private const byte PeriodicEnable = 0x40;
    private const byte UpdateEnable = 0x10;
    private const byte IsBinary = 0x04;
    private const byte Is24Hours = 0x02;
    private const byte InterruptRequested = 0x80; // C
    private const byte PeriodicFlag = 0x40;
    private const byte UpdateFlag = 0x10;
    private const byte IsValid = 0x80;            // D

    private const ulong Frequency = 32_768;
    private const ulong UpdateCycles = 8; // 244 µs before an update UIP is set

    private static readonly DateTime s_epoch = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    // The last year that can be set, and how long the clock may run from then on.
    private static readonly DateTime s_last = new(9001, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private const ulong MostSeconds = 30_000_000_000;

    private readonly byte[] _memory = new byte[Bytes];
    private readonly IInterruptLine _interrupt;
    private readonly Func<bool> _isListenedTo;
    private readonly Oscillator _oscillator;
    private DateTime _setTo = s_epoch; // the time at _setAt
    private ulong _setAt;
    private ulong _cycle;
    private byte _flags;
    private byte _index;

    /// <summary>Makes one.</summary>
    /// <param name="interrupt">IRQ 8.</param>
    /// <param name="isListenedTo">Whether anybody would notice it.</param>
    /// <param name="clockFrequency">Ticks of the virtual clock in one second.</param>
    /// <param name="memoryBytes">RAM, which firmware writes down in CMOS memory.</param>
    /// <param name="cpuCount">Processors, likewise.</param>
    public RealTimeClock(IInterruptLine interrupt, Func<bool> isListenedTo, ulong clockFrequency, ulong memoryBytes, int cpuCount)
    {
        _interrupt = interrupt;
        _isListenedTo = isListenedTo;
        _oscillator = new Oscillator(clockFrequency, Frequency);
        _memory[RegisterA] = 0x26; // 32 768 Hz, periodic rate 1024 Hz
        _memory[RegisterB] = Is24Hours;
        DescribeMachine(memoryBytes, cpuCount);
    }

    /// <summary>Whether the guest masked NMI.</summary>
    public bool IsNmiMasked { get; private set; }

    /// <inheritdoc/>
    public bool IsWanted => _isListenedTo() && (_memory[RegisterB] & (PeriodicEnable | UpdateEnable)) != 0 && (_flags & InterruptRequested) == 0;

    /// <inheritdoc/>
    public ulong NextChange => _oscillator.TicksAt(Math.Min(NextPeriod, NextUpdate));

    private ulong NextPeriod => PeriodCycles is var period && period == 0 ? ulong.MaxValue : ((_cycle / period) + 1) * period;

    private ulong NextUpdate => _setAt + ((((_cycle - _setAt) / Frequency) + 1) * Frequency);

    // Rate selection: 0 none; 1 and 2 repeat 8 and 9.
    private ulong PeriodCycles => (_memory[RegisterA] & 15) switch
    {
        0 => 0,
        1 => 128,
        2 => 256,
        var rate => 1UL << (rate - 1),
    };

    /// <inheritdoc/>
    public void AdvanceTo(ulong now)
    {
        ulong cycle = _oscillator.CyclesAt(now);
        if (cycle >= NextPeriod)
            _flags |= PeriodicFlag;
        if (cycle >= NextUpdate && (_memory[RegisterB] & Halted) == 0)
            _flags |= UpdateFlag;
        _cycle = cycle;
        DriveLine();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size) =>
        (PortBytes.Ones(size) & ~0xFFu) | (port == IndexPort ? (uint)(_index | (IsNmiMasked ? NmiMask : 0)) : ReadRegister(_index));

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == IndexPort)
        {
            _index = (byte)(value & (Bytes - 1));
            IsNmiMasked = (value & NmiMask) != 0;
            if (size == 2)
                WriteRegister(_index, (byte)(value >> 8));
        }
        else
        {
            WriteRegister(_index, (byte)value);
        }
    }

    private byte ReadRegister(int index)
    {
        DateTime now = Now;
        switch (index)
        {
            case 0x00:
                return Encode(now.Second);
            case 0x02:
                return Encode(now.Minute);
            case 0x04:
                return EncodeHour(now.Hour);
            case 0x06:
                return Encode((int)now.DayOfWeek + 1);
            case 0x07:
                return Encode(now.Day);
            case 0x08:
                return Encode(now.Month);
            case 0x09:
                return Encode(now.Year % 100);
            case Century:
                return Encode(now.Year / 100);
            case RegisterA:
                bool isUpdating = NextUpdate - _cycle <= UpdateCycles && (_memory[RegisterB] & Halted) == 0;
                return (byte)(_memory[RegisterA] | (isUpdating ? UpdateInProgress : 0));
            case RegisterC:
                byte flags = _flags;
                _flags = 0;
                DriveLine();
                return flags;
            case RegisterD:
                return IsValid;
            default:
                return _memory[index];
        }
    }

    private void WriteRegister(int index, byte value)
    {
        switch (index)
        {
            case 0x00 or 0x02 or 0x04 or 0x07 or 0x08 or 0x09 or Century:
                Set(index, value);
                break;
            case 0x06 or RegisterC or RegisterD:
                break; // the day of the week follows from the date
            case RegisterA:
                _memory[index] = (byte)(value & ~UpdateInProgress);
                break;
            case RegisterB:
                WriteRegisterB(value);
                break;
            default:
                _memory[index] = value;
                break;
        }
    }

    private void WriteRegisterB(byte value)
    {
        DateTime now = Now;
        bool starts = (_memory[RegisterB] & Halted) != 0 && (value & Halted) == 0;
        bool stops = (_memory[RegisterB] & Halted) == 0 && (value & Halted) != 0;
        if (starts || stops)
            SetTime(now);
        _memory[RegisterB] = value;
        DriveLine();
    }

    private DateTime Now => (_memory[RegisterB] & Halted) != 0 ? _setTo : _setTo.AddSeconds((_cycle - _setAt) / Frequency);

    private void SetTime(DateTime time)
    {
        _setTo = time;
        _setAt = _cycle;
    }

    // What is no date leaves the clock as it was.
    private void Set(int index, byte value)
    {
        DateTime now = Now;
        int number = (_memory[RegisterB] & IsBinary) != 0 ? value : ((value >> 4) * 10) + (value & 15);
        int year = index == 0x09 ? (now.Year / 100 * 100) + number : index == Century ? (number * 100) + (now.Year % 100) : now.Year;
        int month = index == 0x08 ? number : now.Month;
        if (year is < 1 or > 9000 || month is < 1 or > 12)
            return;
        int day = Math.Min(index == 0x07 ? number : now.Day, DateTime.DaysInMonth(year, month));
        int hour = index == 0x04 ? DecodeHour(value) : now.Hour;
        int minute = index == 0x02 ? number : now.Minute;
        int second = index == 0x00 ? number : now.Second;
        if (day < 1 || hour > 23 || minute > 59 || second > 59)
            return;
        SetTime(new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc));
    }

    private byte Encode(int value) => (byte)((_memory[RegisterB] & IsBinary) != 0 ? value : (value / 10 << 4) | (value % 10));

    private byte EncodeHour(int hour)
    {
        if ((_memory[RegisterB] & Is24Hours) != 0)
            return Encode(hour);
        return (byte)(Encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0));
    }

    private int DecodeHour(byte value)
    {
        int digits = value & 0x7F;
        int hour = (_memory[RegisterB] & IsBinary) != 0 ? digits : ((digits >> 4) * 10) + (digits & 15);
        return (_memory[RegisterB] & Is24Hours) != 0 ? hour : (hour % 12) + ((value & 0x80) != 0 ? 12 : 0);
    }

    private void DriveLine()
    {
        byte enabled = (byte)(_memory[RegisterB] & (PeriodicEnable | UpdateEnable));
        if ((_flags & enabled) != 0)
        {
            _flags |= InterruptRequested;
            _interrupt.Raise();
        }
        else
        {
            _interrupt.Lower();
        }
    }

    // What firmware finds out and guests read: sizes in KiB, above 16 MiB in units of 64 KiB.
    private void DescribeMachine(ulong memoryBytes, int cpuCount)
    {
        const ulong Low = 640, Mebibyte = 1UL << 20;
        ulong below = Math.Min(memoryBytes, HostMemory.HoleStart);
        ulong extended = below > Mebibyte ? Math.Min((below - Mebibyte) >> 10, 0xFFFF) : 0;
        ulong above16 = below > 16 * Mebibyte ? (below - (16 * Mebibyte)) >> 16 : 0;
        ulong above4G = (memoryBytes - below) >> 16;
        StoreWord(0x15, Low);
        StoreWord(0x17, extended);
        StoreWord(0x30, extended);
        StoreWord(0x34, above16);
        StoreWord(0x5B, above4G & 0xFFFF);
        _memory[0x5D] = (byte)(above4G >> 16);
        _memory[0x5F] = (byte)(cpuCount - 1);
    }

    private void StoreWord(int index, ulong value)
    {
        _memory[index] = (byte)value;
        _memory[index + 1] = (byte)(value >> 8);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<byte>(_memory);
        writer.Write((ulong)_setTo.Ticks);
        writer.Write(_setAt);
        writer.Write(_cycle);
        writer.Write(_flags);
        writer.Write(_index);
        writer.Write(IsNmiMasked);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        reader.ReadArray<byte>("memory", _memory);
        _setTo = new DateTime((long)reader.ReadUInt64("setTo", 0, (ulong)s_last.Ticks), DateTimeKind.Utc);
        _setAt = reader.ReadUInt64("setAt");
        _cycle = reader.ReadUInt64("cycle", _setAt, ulong.MaxValue);
        if ((_cycle - _setAt) / Frequency > MostSeconds)
            throw reader.Refuse("cycle", "lies too far behind the moment at which the clock was set");
        _flags = reader.ReadByte("flags");
        _index = (byte)(reader.ReadByte("index") & (Bytes - 1));
        IsNmiMasked = reader.ReadBoolean("nmiMasked");
    }
}
