using Mmu86.Devices;
using Mmu86.Memory;
using Xunit;

namespace Mmu86.Tests.Devices;

/// <summary>The rules of the 8259A's data sheet, on the pair of a PC.</summary>
public sealed class InterruptControllerTests
{
    private readonly InterruptControllerPair _pair = new();
    private readonly PortBus _bus = new();

    public InterruptControllerTests()
    {
        _bus.Attach(InterruptControllerPair.FirstPort, InterruptControllerPair.PortCount, _pair);
        _bus.Attach(InterruptControllerPair.SecondPort, InterruptControllerPair.PortCount, _pair);
        _bus.Attach(InterruptControllerPair.EdgeLevelPort, InterruptControllerPair.PortCount, _pair);
        Initialise(word4: 0x01);
    }

    [Theory]
    [InlineData(0, 0x20)]
    [InlineData(1, 0x21)]
    [InlineData(7, 0x27)]
    [InlineData(8, 0x28)]
    [InlineData(12, 0x2C)]
    [InlineData(15, 0x2F)]
    public void Line_Raised_InterruptsWithTheVectorOfIcw2(int line, int vector)
    {
        _pair.Line(line).Raise();

        Assert.True(_pair.IsInterrupting);
        Assert.Equal(vector, _pair.Acknowledge());
        Assert.False(_pair.IsInterrupting);
        Assert.Equal(line < 8 ? 1u << line : 4u, InService(0x20));
        Assert.Equal(line < 8 ? 0u : 1u << (line - 8), InService(0xA0));
    }

    // Priority: 0, 1, 8 to 15, 3 to 7.
    [Fact]
    public void Lines_AllRaised_AreTakenByPriority()
    {
        foreach (int line in Lines())
            _pair.Line(line).Raise();
        var taken = new List<int>();
        while (_pair.IsInterrupting)
        {
            int vector = _pair.Acknowledge();
            taken.Add(vector - 0x20);
            _pair.Line(vector - 0x20).Lower();
            if (vector >= 0x28)
                _bus.Write(0xA0, 0x20, 1);
            _bus.Write(0x20, 0x20, 1);
        }

        Assert.Equal([0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7], taken);
    }

    [Fact]
    public void Mask_OfALine_HoldsItsInterruptBack()
    {
        _bus.Write(0x21, 0x10, 1);
        _pair.Line(4).Raise();
        Assert.False(_pair.IsInterrupting);
        Assert.False(_pair.Listens(4));
        Assert.Equal(0x10u, _bus.Read(0x21, 1));
        Assert.Equal(0x10u, _bus.Read(0x20, 1)); // IRR shows it all the same

        _bus.Write(0x21, 0, 1);
        Assert.True(_pair.IsInterrupting);
    }

    [Fact]
    public void Mask_OfTheCascade_HoldsTheSecondControllerBack()
    {
        _bus.Write(0x21, 0x04, 1);
        _pair.Line(9).Raise();
        Assert.False(_pair.IsInterrupting);
        Assert.False(_pair.Listens(9));
        _bus.Write(0x21, 0, 1);
        Assert.Equal(0x29, _pair.Acknowledge());
    }

    [Fact]
    public void Edge_HeldHigh_InterruptsOnce()
    {
        IInterruptLine line = _pair.Line(5);
        line.Raise();
        Assert.Equal(0x25, _pair.Acknowledge());
        _bus.Write(0x20, 0x20, 1);
        line.Raise();
        Assert.False(_pair.IsInterrupting);
        line.Lower();
        line.Raise();
        Assert.True(_pair.IsInterrupting);
    }

    [Fact]
    public void Level_HeldHigh_InterruptsAgainAfterItsEnd()
    {
        _bus.Write(0x4D0, 0x20, 1);
        IInterruptLine line = _pair.Line(5);
        line.Raise();
        Assert.Equal(0x25, _pair.Acknowledge());
        Assert.False(_pair.IsInterrupting);
        _bus.Write(0x20, 0x20, 1);
        Assert.True(_pair.IsInterrupting);
        line.Lower();
        Assert.False(_pair.IsInterrupting);
    }

    // 0x4D0 and 0x4D1: timer, keyboard, cascade, clock and coprocessor stay edge-triggered.
    [Fact]
    public void EdgeLevelRegisters_TakeTheLinesThatMayBeLevel()
    {
        _bus.Write(0x4D0, 0xFFFF, 2);
        Assert.Equal((0xF8u, 0xDEu), (_bus.Read(0x4D0, 1), _bus.Read(0x4D1, 1)));
    }

    [Theory]
    [InlineData(3, 0x27)]
    [InlineData(12, 0x2F)]
    public void Request_GoneBeforeTheAcknowledgement_IsSpurious(int line, int vector)
    {
        // The processor saw INT and acknowledges; the request went meanwhile. The second controller's shows in the first's ISR.
        IInterruptLine wire = _pair.Line(line);
        wire.Raise();
        if (line < 8)
        {
            wire.Lower();
            Assert.Equal(vector, _pair.Acknowledge());
            Assert.Equal(0u, InService(0x20));
            return;
        }

        var second = new InterruptController8259();
        second.WriteCommand(0x11);
        second.WriteData(0x28);
        second.WriteData(2);
        second.WriteData(1);
        second.Raise(4);
        second.Lower(4);
        Assert.Equal(vector, second.Vector(second.Acknowledge()));
        Assert.Equal(0, second.InService);
    }

    // OCW2: command, ISR before, ISR after, lowest priority after (as the order of two requests shows).
    [Theory]
    [InlineData(0x20, 0b0010_1000, 0b0010_0000, 7)] // non-specific end: the highest
    [InlineData(0x65, 0b0010_1000, 0b0000_1000, 7)] // specific end of 5
    [InlineData(0xA0, 0b0010_1000, 0b0010_0000, 3)] // rotate on non-specific end
    [InlineData(0xE5, 0b0010_1000, 0b0000_1000, 5)] // rotate on specific end
    [InlineData(0xC4, 0b0010_1000, 0b0010_1000, 4)] // set priority
    [InlineData(0x40, 0b0010_1000, 0b0010_1000, 7)] // no operation
    public void Ocw2_EndsAndRotates(int command, int before, int after, int lowest)
    {
        var chip = Chip();
        for (int pin = 7; pin >= 0; pin--)
        {
            if ((before >> pin & 1) == 0)
                continue;
            chip.Raise(pin);
            chip.Acknowledge();
            chip.Lower(pin);
        }

        chip.WriteCommand((byte)command);

        Assert.Equal(after, chip.InService);
        while (chip.InService != 0)
            chip.WriteCommand((byte)(0x60 | int.Log2(chip.InService)));
        chip.Raise(lowest);
        chip.Raise((lowest + 1) & 7);
        Assert.Equal((lowest + 1) & 7, chip.Acknowledge());
    }

    [Fact]
    public void Nesting_LowerOrEqualPriority_WaitsAndHigherDoesNot()
    {
        var chip = Chip();
        chip.Raise(4);
        Assert.Equal(4, chip.Acknowledge());
        chip.Raise(6);
        Assert.False(chip.IsInterrupting);
        chip.Raise(1);
        Assert.Equal(1, chip.Acknowledge());
        chip.WriteCommand(0x20);
        Assert.False(chip.IsInterrupting);
        chip.WriteCommand(0x20);
        Assert.Equal(6, chip.Acknowledge());
    }

    [Fact]
    public void AutomaticEnd_LeavesNothingInService()
    {
        var chip = Chip(word4: 0x03);
        chip.Raise(4);
        Assert.Equal(4, chip.Acknowledge());
        Assert.Equal(0, chip.InService);
        chip.Raise(6);
        Assert.True(chip.IsInterrupting);
    }

    [Fact]
    public void AutomaticEnd_Rotating_MakesWhatWasServedTheLowest()
    {
        var chip = Chip(word4: 0x03);
        chip.WriteCommand(0x80);
        chip.Raise(0);
        Assert.Equal(0, chip.Acknowledge());
        chip.Lower(0);
        chip.Raise(0);
        chip.Raise(1);
        Assert.Equal(1, chip.Acknowledge());
    }

    [Fact]
    public void SpecialMask_LetsLowerLevelsInterruptAMaskedOneInService()
    {
        var chip = Chip();
        chip.Raise(2);
        chip.Acknowledge();
        chip.Raise(6);
        Assert.False(chip.IsInterrupting);
        chip.WriteData(0x04);
        Assert.False(chip.IsInterrupting);
        chip.WriteCommand(0x68); // ESMM, SMM
        Assert.Equal(6, chip.Acknowledge());
        chip.WriteCommand(0x20); // ends 6: the masked level is not meant
        Assert.Equal(0x04, chip.InService);
        chip.WriteCommand(0x48);
        chip.Lower(6);
        chip.Raise(6);
        Assert.False(chip.IsInterrupting);
    }

    [Fact]
    public void SpecialFullyNested_LetsAHigherLineOfTheSecondControllerIn()
    {
        foreach ((byte word4, bool expected) in new[] { ((byte)0x01, false), ((byte)0x11, true) })
        {
            Initialise(word4);
            _pair.Line(12).Raise();
            Assert.Equal(0x2C, _pair.Acknowledge());
            _pair.Line(8).Raise();
            Assert.Equal(expected, _pair.IsInterrupting);
            _pair.Line(8).Lower();
            _pair.Line(12).Lower();
        }
    }

    [Fact]
    public void Poll_TakesTheInterruptIntoService()
    {
        var chip = Chip();
        chip.WriteCommand(0x0C);
        Assert.Equal(0, chip.ReadCommand());
        chip.Raise(3);
        chip.WriteCommand(0x0C);
        Assert.Equal(0x83, chip.ReadCommand());
        Assert.Equal(0x08, chip.InService);
    }

    // ICW1 clears the mask, the edge sense and special mask mode, and makes the status register IRR.
    [Fact]
    public void Icw1_BeginsAnew()
    {
        var chip = Chip();
        chip.WriteData(0xFF);
        chip.WriteCommand(0x0B);
        chip.Raise(3);
        chip.WriteCommand(0x11);
        Assert.Equal((0, 0), (chip.Mask, chip.Requests));
        chip.Raise(3);
        Assert.False(chip.IsInterrupting);
        chip.WriteData(0x40);
        chip.WriteData(0);
        chip.WriteData(1);
        chip.Lower(3);
        chip.Raise(3);
        Assert.Equal(0x08, chip.ReadCommand());
        Assert.Equal(0x43, chip.Vector(chip.Acknowledge()));
    }

    private static IEnumerable<int> Lines() => Enumerable.Range(0, 16).Where(line => line != 2);

    private static InterruptController8259 Chip(byte word4 = 1)
    {
        var chip = new InterruptController8259();
        chip.WriteCommand(0x13); // single, with ICW4
        chip.WriteData(0x20);
        chip.WriteData(word4);
        return chip;
    }

    private void Initialise(byte word4)
    {
        foreach ((ushort port, byte vector, byte wiring) in new[] { ((ushort)0x20, (byte)0x20, (byte)4), ((ushort)0xA0, (byte)0x28, (byte)2) })
        {
            _bus.Write(port, 0x11, 1);
            _bus.Write((ushort)(port + 1), vector, 1);
            _bus.Write((ushort)(port + 1), wiring, 1);
            _bus.Write((ushort)(port + 1), word4, 1);
        }
    }

    private uint InService(ushort port)
    {
        _bus.Write(port, 0x0B, 1);
        uint value = _bus.Read(port, 1);
        _bus.Write(port, 0x0A, 1);
        return value;
    }
}
