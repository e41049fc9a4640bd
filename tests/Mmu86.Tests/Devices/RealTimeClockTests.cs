using Mmu86.Devices;
using Xunit;

namespace Mmu86.Tests.Devices;

/// <summary>The rules of the MC146818's data sheet. The clock of the tests ticks 32 768 times a second.</summary>
public sealed class RealTimeClockTests
{
    private const ulong Second = 32_768;

    private readonly RecordingLine _line = new();
    private readonly RealTimeClock _clock;
    private ulong _now;

    public RealTimeClockTests() => _clock = new RealTimeClock(_line, () => true, Second, (5UL << 30) + (64 << 20), 1);

    // Seconds since the start, and second, minute, hour, day of the week, day, month, year, century in BCD.
    [Theory]
    [InlineData(0UL, new[] { 0x00, 0x00, 0x00, 0x07, 0x01, 0x01, 0x00, 0x20 })]
    [InlineData(59UL, new[] { 0x59, 0x00, 0x00, 0x07, 0x01, 0x01, 0x00, 0x20 })]
    [InlineData(86_399UL, new[] { 0x59, 0x59, 0x23, 0x07, 0x01, 0x01, 0x00, 0x20 })]
    [InlineData(5_097_600UL, new[] { 0x00, 0x00, 0x00, 0x03, 0x29, 0x02, 0x00, 0x20 })] // a leap day
    public void Time_FollowsTheVirtualClock(ulong seconds, int[] expected)
    {
        Step(seconds * Second);
        Assert.Equal(expected, new[] { 0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32 }.Select(Read));
    }

    [Theory]
    [InlineData(0x02, 0x13, 0x13)] // BCD, 24 hours
    [InlineData(0x06, 13, 13)]     // binary
    [InlineData(0x00, 0x81, 0x81)] // BCD, 12 hours: 1 p.m.
    [InlineData(0x04, 0x81, 0x81)]
    [InlineData(0x00, 0x12, 0x12)] // midnight
    public void Hour_ReadsAsItWasWritten(int registerB, int written, int read)
    {
        Write(0x0B, registerB);
        Write(0x04, written);
        Assert.Equal(read, Read(0x04));
    }

    [Fact]
    public void Set_StopsTheClock()
    {
        Step(10 * Second);
        Write(0x0B, 0x82);
        Write(0x00, 0x30);
        Step(10 * Second);
        Assert.Equal(0x30, Read(0x00));
        Write(0x0B, 0x02);
        Step(2 * Second);
        Assert.Equal(0x32, Read(0x00));
    }

    [Fact]
    public void UpdateInProgress_IsSetShortlyBeforeEachSecond()
    {
        Assert.Equal(0x26, Read(0x0A));
        Step(Second - 4);
        Assert.Equal(0xA6, Read(0x0A));
        Step(4);
        Assert.Equal(0x26, Read(0x0A));
    }

    // Rate selection and interrupts in a second: the table of periodic rates.
    [Theory]
    [InlineData(6, 1024)]
    [InlineData(15, 2)]
    [InlineData(3, 8192)]
    [InlineData(1, 256)]
    [InlineData(2, 128)]
    public void Periodic_InterruptsAtItsRate(int rate, int expected)
    {
        Write(0x0A, 0x20 | rate);
        Write(0x0B, 0x42);
        int interrupts = 0;
        while (_clock.NextChange <= Second)
        {
            _now = _clock.NextChange;
            _clock.AdvanceTo(_now);
            if (!_line.IsRaised)
                continue;
            interrupts++;
            Assert.Equal(0xC0, Read(0x0C) & 0xC0);
            Assert.False(_line.IsRaised);
        }

        Assert.Equal(expected, interrupts);
    }

    [Fact]
    public void Update_InterruptsOnceASecond()
    {
        Write(0x0B, 0x12);
        Step(Second - 1);
        Assert.False(_line.IsRaised);
        Step(1);
        Assert.True(_line.IsRaised);
        Assert.Equal(0xD0, Read(0x0C));
        Assert.Equal(0, Read(0x0C));
    }

    [Fact]
    public void Index_Bit7_MasksNmi()
    {
        _clock.Write(0x70, 0x8F, 1);
        Assert.True(_clock.IsNmiMasked);
        _clock.Write(0x71, 0x42, 1);
        _clock.Write(0x70, 0x0F, 1);
        Assert.False(_clock.IsNmiMasked);
        Assert.Equal(0x42u, _clock.Read(0x71, 1));
    }

    // 3 GiB below the hole, 2 GiB and 64 MiB above 4 GiB.
    [Theory]
    [InlineData(0x15, 640)]
    [InlineData(0x30, 0xFFFF)]
    [InlineData(0x34, 0xBF00)]
    [InlineData(0x5B, 0x8400)]
    public void Memory_IsDescribed(int register, int expected) => Assert.Equal(expected, Read(register) | (Read(register + 1) << 8));

    [Fact]
    public void Status_SaysThatTheBatteryIsGood() => Assert.Equal(0x80, Read(0x0D));

    private void Step(ulong cycles)
    {
        _now += cycles;
        _clock.AdvanceTo(_now);
    }

    private int Read(int register)
    {
        _clock.Write(0x70, (uint)register, 1);
        return (int)_clock.Read(0x71, 1);
    }

    private void Write(int register, int value)
    {
        _clock.Write(0x70, (uint)register, 1);
        _clock.Write(0x71, (uint)value, 1);
    }
}
