using System.Text;
using Mmu86.Devices;
using Xunit;

namespace Mmu86.Tests.Devices;

/// <summary>The rules of the 8254's data sheet. The clock of the tests has the timer's frequency: a tick is a cycle.</summary>
public sealed class IntervalTimerTests
{
    private readonly CountingLine _line = new();
    private readonly IntervalTimer _timer;
    private ulong _now;

    public IntervalTimerTests() => _timer = new IntervalTimer(_line, () => true, IntervalTimer.Frequency);

    // Mode, count, and OUT cycle by cycle from the write of the count on: what the timing diagrams of the data sheet show. The first
    // cycle loads the count; the groups are the periods.
    [Theory]
    [InlineData(0, 4, "0 0000 111111")]
    [InlineData(2, 3, "1 110 110 110 11")]
    [InlineData(3, 4, "1 1100 1100 110")]
    [InlineData(3, 5, "1 11100 11100 1")]
    [InlineData(4, 3, "1 111 0 11111")]
    public void Output_OfAMode_FollowsTheDiagram(int mode, int count, string diagram)
    {
        Program(mode, count);
        string expected = diagram.Replace(" ", "");
        var seen = new StringBuilder();
        for (int i = 0; i < expected.Length; i++)
        {
            seen.Append(_line.IsHigh ? '1' : '0');
            Step(1);
        }

        Assert.Equal(expected, seen.ToString());
    }

    [Theory]
    [InlineData(0, 10, 0, 10)]
    [InlineData(0, 10, 3, 7)]
    [InlineData(0, 10, 12, 0xFFFE)] // goes on behind 0
    [InlineData(2, 10, 0, 10)]
    [InlineData(2, 10, 9, 1)]
    [InlineData(2, 10, 10, 10)]
    [InlineData(3, 10, 0, 10)]
    [InlineData(3, 10, 1, 8)]
    [InlineData(3, 10, 4, 2)]
    [InlineData(3, 10, 5, 10)]
    [InlineData(3, 9, 0, 8)]        // odd: one less
    [InlineData(3, 9, 4, 0)]
    [InlineData(3, 9, 5, 8)]        // the low half
    [InlineData(3, 9, 8, 2)]
    [InlineData(4, 10, 10, 0)]
    [InlineData(4, 10, 11, 0xFFFF)]
    [InlineData(2, 0, 0, 0)]        // 0 is 65536
    [InlineData(2, 0, 1, 0xFFFF)]
    public void Count_AfterSoManyCycles_IsWhatTheModeCounts(int mode, int count, int cycles, int expected)
    {
        Program(mode, count);
        Step((ulong)cycles + 1);
        Assert.Equal(expected, ReadWord());
    }

    [Fact]
    public void Count_OfDecimalMode_IsDecimal()
    {
        Write(0x43, 0x35);
        WriteWord(0x40, 0x1000);
        Step(1 + 1);
        Assert.Equal(0x0999, ReadWord());
        Step(999);
        Assert.Equal(0x1000, ReadWord());
    }

    [Fact]
    public void Latch_HoldsTheCountUntilItIsRead()
    {
        Program(2, 1000);
        Step(101);
        Write(0x43, 0x00);
        Step(50);
        Write(0x43, 0x00); // a second latch changes nothing
        Assert.Equal(900, ReadWord());
        Assert.Equal(850, ReadWord());
    }

    // Status: 7 OUT, 6 null count, 5..0 the control word.
    [Fact]
    public void ReadBack_TellsStatusThenCount()
    {
        Write(0x43, 0x34);
        Write(0x43, 0xE2);
        Assert.Equal(0xF4, Read(0x40)); // no count yet
        WriteWord(0x40, 100);
        Step(11);
        Write(0x43, 0xC2); // both
        Step(5);
        Assert.Equal(0xB4, Read(0x40));
        Assert.Equal(90, ReadWord());
        Assert.Equal(85, ReadWord());
    }

    [Theory]
    [InlineData(0x14, 0x34, 0x34)]   // the low byte only: count 0x34
    [InlineData(0x24, 0x12, 0x1200)] // the high byte only
    public void Access_OneByte_LeavesTheOtherZero(byte control, byte written, int count)
    {
        Write(0x43, control);
        Write(0x40, written);
        Step(1);
        int read = Read(0x40);
        Assert.Equal(control == 0x14 ? count : count >> 8, read);
    }

    [Fact]
    public void Mode0_NewCount_StopsWithItsFirstByteAndBeginsAnew()
    {
        Program(0, 5);
        Step(3);
        Write(0x40, 10);
        Step(20);
        Assert.False(_line.IsHigh);
        Write(0x40, 0);
        Step(10);
        Assert.False(_line.IsHigh);
        Step(1);
        Assert.True(_line.IsHigh);
    }

    [Fact]
    public void Mode2_NewCount_TakesEffectWithTheNextPeriod()
    {
        Program(2, 100);
        Step(1 + 50);
        WriteWord(0x40, 10);
        Step(49);
        Assert.Equal(1, ReadWord());
        Step(1);
        Assert.Equal(10, ReadWord());
        Step(10);
        Assert.Equal(10, ReadWord());
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Periodic_RisesOncePerPeriod(int mode)
    {
        Program(mode, 1000);
        Step(1);
        int before = _line.Rises;
        for (int i = 0; i < 10_000; i++)
            Step(1);
        Assert.Equal(10, _line.Rises - before);
    }

    [Fact]
    public void NextChange_FollowedStepByStep_NeverMissesAChange()
    {
        foreach (int mode in new[] { 0, 2, 3, 4 })
        {
            foreach (int count in new[] { 2, 3, 7, 100 })
            {
                Program(mode, count);
                for (int i = 0; i < 50; i++)
                {
                    ulong next = _timer.NextChange;
                    bool before = _line.IsHigh;
                    for (ulong at = _now + 1; at < Math.Min(next, _now + 300); at++)
                    {
                        _timer.AdvanceTo(at);
                        Assert.Equal(before, _line.IsHigh);
                    }

                    _now = Math.Min(next, _now + 300);
                    _timer.AdvanceTo(_now);
                }
            }
        }
    }

    [Fact]
    public void Counter2_CountsWhileItsGateIsHigh()
    {
        var clock = new SettableClock(() => _now);
        var port = new SystemControlPortB(_timer, clock);
        Write(0x43, 0xB0);
        Write(0x42, 100);
        Write(0x42, 0);
        Step(1000);
        Assert.False(_timer.SpeakerOutput);
        port.Write(0x61, 1, 1);
        Step(99);
        Assert.Equal(0u, port.Read(0x61, 1) & 0x20);
        port.Write(0x61, 0, 1);
        Step(1000);
        Assert.Equal(0u, port.Read(0x61, 1) & 0x20);
        port.Write(0x61, 1, 1);
        Step(2);
        Assert.Equal(0x20u, port.Read(0x61, 1) & 0x20);
        Assert.Equal(1u, port.Read(0x61, 1) & 0x0F);
    }

    // Counter 2 has a gate: OUT for each cycle from the trigger on. A second trigger begins anew.
    [Theory]
    [InlineData(1, "1 000 1111")]
    [InlineData(5, "1 111 0 111")]
    public void Triggered_Output_FollowsTheDiagram(int mode, string diagram)
    {
        Write(0x43, (byte)(0xB0 | (mode << 1)));
        WriteWord(0x42, 3);
        Step(100);
        Assert.True(_timer.SpeakerOutput);
        for (int trigger = 0; trigger < 2; trigger++)
        {
            _timer.SetSpeakerGate(true);
            var seen = new StringBuilder();
            for (int i = 0; i < 8; i++)
            {
                seen.Append(_timer.SpeakerOutput ? '1' : '0');
                Step(1);
            }

            Assert.Equal(diagram.Replace(" ", ""), seen.ToString());
            _timer.SetSpeakerGate(false);
        }
    }

    [Fact]
    public void Refresh_FlipsEvery18Cycles()
    {
        var port = new SystemControlPortB(_timer, new SettableClock(() => _now));
        int flips = 0;
        uint last = port.Read(0x61, 1) & 0x10;
        for (int i = 0; i < 1800; i++)
        {
            Step(1);
            uint now = port.Read(0x61, 1) & 0x10;
            flips += now != last ? 1 : 0;
            last = now;
        }

        Assert.InRange(flips, 99, 100);
    }

    private void Program(int mode, int count)
    {
        Write(0x43, (byte)(0x30 | (mode << 1)));
        WriteWord(0x40, count);
    }

    private void Step(ulong cycles)
    {
        _now += cycles;
        _timer.AdvanceTo(_now);
    }

    private void Write(ushort port, byte value) => _timer.Write(port, value, 1);

    private void WriteWord(ushort port, int value)
    {
        Write(port, (byte)value);
        Write(port, (byte)(value >> 8));
    }

    private int Read(ushort port) => (int)_timer.Read(port, 1);

    private int ReadWord() => Read(0x40) | (Read(0x40) << 8);

    private sealed class CountingLine : IInterruptLine
    {
        public bool IsHigh { get; private set; }

        public int Rises { get; private set; }

        public void Raise()
        {
            Rises += IsHigh ? 0 : 1;
            IsHigh = true;
        }

        public void Lower() => IsHigh = false;
    }
}
