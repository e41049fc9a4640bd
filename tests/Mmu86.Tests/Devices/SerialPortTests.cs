using System.Text;
using Mmu86.Devices;
using Mmu86.Memory;
using Xunit;

namespace Mmu86.Tests.Devices;

public sealed class SerialPortTests
{
    private const ushort Data = 0x3F8;
    private const ushort InterruptEnable = 0x3F9;
    private const ushort Identification = 0x3FA;
    private const ushort FifoControl = 0x3FA;
    private const ushort LineControl = 0x3FB;
    private const ushort ModemControl = 0x3FC;
    private const ushort LineStatus = 0x3FD;
    private const ushort ModemStatus = 0x3FE;
    private const ushort Scratch = 0x3FF;

    private readonly RecordingSink _sink = new();
    private readonly RecordingLine _line = new();
    private readonly PortBus _bus = new();
    private readonly SerialPort _serial;

    public SerialPortTests()
    {
        _serial = new SerialPort(_sink, _line);
        _bus.Attach(SerialPort.FirstPort, SerialPort.PortCount, _serial);
    }

    [Fact]
    public void Write_Data_GoesToTheSinkAndTheTransmitterStaysEmpty()
    {
        foreach (byte value in Encoding.ASCII.GetBytes("hello"))
        {
            Assert.Equal(0x60u, _bus.Read(LineStatus, 1));
            _bus.Write(Data, value, 1);
        }

        Assert.Equal("hello", _sink.Text);
        Assert.Equal(0x60u, _bus.Read(LineStatus, 1));
    }

    [Fact]
    public void Write_DivisorLatch_IsNotData()
    {
        _bus.Write(LineControl, 0x83, 1);
        _bus.Write(Data, 0x34, 1);
        _bus.Write(InterruptEnable, 0x12, 1);
        Assert.Equal((0x34u, 0x12u), (_bus.Read(Data, 1), _bus.Read(InterruptEnable, 1)));
        _bus.Write(LineControl, 0x03, 1);
        Assert.Equal(0u, _bus.Read(InterruptEnable, 1));
        Assert.Equal(3u, _bus.Read(LineControl, 1));
        Assert.Equal("", _sink.Text);
    }

    [Fact]
    public void Write_SixteenBits_IsTwoRegisters()
    {
        _bus.Write(Data, 0x0F41, 2);
        Assert.Equal("A", _sink.Text);
        Assert.Equal(0x0Fu, _bus.Read(InterruptEnable, 1));
    }

    [Fact]
    public void Access_BeyondTheLastRegister_IsDroppedAndReadsOnes()
    {
        _bus.Write(Scratch, 0x1122_335A, 4);
        Assert.Equal(0xFFFF_FF5Au, _bus.Read(Scratch, 4));
        Assert.Equal("", _sink.Text);
    }

    [Fact]
    public void Read_StatusRegisters_AreNotWritable()
    {
        _bus.Write(LineStatus, 0, 1);
        _bus.Write(ModemStatus, 0, 1);
        Assert.Equal(0x60u, _bus.Read(LineStatus, 1));
        Assert.Equal(0xB0u, _bus.Read(ModemStatus, 1));
    }

    [Fact]
    public void Write_ModemAndInterruptControl_KeepOnlyImplementedBits()
    {
        _bus.Write(ModemControl, 0xFF, 1);
        _bus.Write(InterruptEnable, 0xFF, 1);
        Assert.Equal((0x1Fu, 0x0Fu), (_bus.Read(ModemControl, 1), _bus.Read(InterruptEnable, 1)));
    }

    [Fact]
    public void Loopback_Data_ComesBackAndASecondByteOverruns()
    {
        _bus.Write(ModemControl, 0x10, 1);
        _bus.Write(Data, 'x', 1);
        Assert.Equal(0x61u, _bus.Read(LineStatus, 1));
        _bus.Write(Data, 'y', 1);
        Assert.Equal(0x63u, _bus.Read(LineStatus, 1));
        Assert.Equal(0x61u, _bus.Read(LineStatus, 1));
        Assert.Equal((uint)'x', _bus.Read(Data, 1));
        Assert.Equal(0x60u, _bus.Read(LineStatus, 1));
        Assert.Equal("", _sink.Text);
    }

    [Theory]
    [InlineData(0x11, 0x20)] // DTR -> DSR
    [InlineData(0x12, 0x10)] // RTS -> CTS
    [InlineData(0x14, 0x40)] // OUT1 -> RI
    [InlineData(0x18, 0x80)] // OUT2 -> DCD
    public void Loopback_ModemControl_ComesBackAsModemStatus(uint control, uint lines)
    {
        _bus.Write(ModemControl, 0x10, 1);
        _ = _bus.Read(ModemStatus, 1);
        _bus.Write(ModemControl, control, 1);
        uint status = _bus.Read(ModemStatus, 1);
        Assert.Equal(lines, status & 0xF0);

        // Every line but RI tells that it changed; RI only when ringing ends.
        Assert.Equal(lines == 0x40 ? 0 : lines >> 4, status & 0x0F);
        _bus.Write(ModemControl, 0x10, 1);
        Assert.Equal(lines >> 4, _bus.Read(ModemStatus, 1));
        Assert.Equal(0u, _bus.Read(ModemStatus, 1));
    }

    [Fact]
    public void Receive_ThreeBytesWithoutFifos_AreReadInOrder()
    {
        _serial.Receive("abc"u8);
        var read = new StringBuilder();
        while ((_bus.Read(LineStatus, 1) & 1) != 0)
            read.Append((char)_bus.Read(Data, 1));
        Assert.Equal("abc", read.ToString());
        Assert.Equal(0u, _bus.Read(Data, 1));
    }

    [Fact]
    public void Identification_FifosOn_ShowsThemAndTheTriggerLevel()
    {
        _bus.Write(FifoControl, 0x41, 1); // trigger level 4
        _bus.Write(InterruptEnable, 1, 1);
        _bus.Write(ModemControl, 0x08, 1);
        _serial.Receive("abc"u8);
        Assert.Equal(0xCCu, _bus.Read(Identification, 1));
        _serial.Receive("d"u8);
        Assert.Equal(0xC4u, _bus.Read(Identification, 1));
        _bus.Write(FifoControl, 0x43, 1);
        Assert.Equal(0xC1u, _bus.Read(Identification, 1));
        Assert.False(_line.IsRaised);
    }

    [Fact]
    public void Interrupt_TransmitterEmpty_IsRaisedByEnablingAndEndedByReadingIdentification()
    {
        _bus.Write(ModemControl, 0x08, 1);
        Assert.False(_line.IsRaised);
        _bus.Write(InterruptEnable, 2, 1);
        Assert.True(_line.IsRaised);
        Assert.Equal(2u, _bus.Read(Identification, 1));
        Assert.False(_line.IsRaised);
        Assert.Equal(1u, _bus.Read(Identification, 1));
        _bus.Write(Data, 'z', 1);
        Assert.True(_line.IsRaised);
    }

    [Fact]
    public void Interrupt_WithoutOut2_DoesNotReachTheBus()
    {
        _bus.Write(InterruptEnable, 2, 1);
        Assert.Equal(2u, _bus.Read(Identification, 1));
        Assert.False(_line.IsRaised);
    }

    [Fact]
    public void Interrupt_SeveralSources_AreIdentifiedByPriority()
    {
        _bus.Write(InterruptEnable, 0x0F, 1);
        _bus.Write(ModemControl, 0x10, 1); // loopback drops CTS, DSR and DCD
        _bus.Write(Data, 'x', 1);
        _bus.Write(Data, 'y', 1);
        Assert.Equal(6u, _bus.Read(Identification, 1));
        _ = _bus.Read(LineStatus, 1);
        Assert.Equal(4u, _bus.Read(Identification, 1));
        _ = _bus.Read(Data, 1);
        Assert.Equal(2u, _bus.Read(Identification, 1));
        Assert.Equal(0u, _bus.Read(Identification, 1));
        _ = _bus.Read(ModemStatus, 1);
        Assert.Equal(1u, _bus.Read(Identification, 1));
    }
}
