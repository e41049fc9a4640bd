using Mmu86.Devices;
using Mmu86.Memory;
using Xunit;

namespace Mmu86.Tests.Devices;

public sealed class DebugDeviceTests
{
    private readonly PortBus _bus = new();

    [Theory]
    [InlineData(0u, 1, 1)]
    [InlineData(0x10u, 1, 0x21)]
    [InlineData(0x1FFu, 1, 0x1FF)] // only the byte written counts
    [InlineData(0x1FFu, 2, 0x3FF)]
    [InlineData(0x8000_0001u, 4, 3)]
    public void DebugExit_AnyWidth_StopsTheRunWithTheStatus(uint value, int size, int status)
    {
        var stopper = new CountingStopper();
        var device = new DebugExit(stopper);
        _bus.Attach(DebugExit.Port, DebugExit.PortCount, device);
        Assert.Null(device.ExitStatus);

        _bus.Write(0xF4, value, size);

        Assert.Equal(status, device.ExitStatus);
        Assert.Equal(1, stopper.Requests);
    }

    [Fact]
    public void DebugExit_SecondWrite_DoesNotChangeTheStatus()
    {
        var device = new DebugExit(new CountingStopper());
        device.Write(0xF4, 3, 1);
        device.Write(0xF4, 9, 1);
        Assert.Equal(7, device.ExitStatus);
        Assert.Equal(0xFFFFu, device.Read(0xF4, 2));
    }

    [Fact]
    public void DebugConsole_Write_SendsTheLowByteAndReadTellsThatItIsThere()
    {
        var sink = new RecordingSink();
        var console = new DebugConsole(sink);
        _bus.Attach(DebugConsole.Port, DebugConsole.PortCount, console);
        _bus.Attach(DebugConsole.FirmwarePort, DebugConsole.PortCount, console);
        _bus.Write(0xE9, 'o', 1);
        _bus.Write(0xE9, 0x4D00 | 'k', 2);
        _bus.Write(0x402, '!', 1);
        Assert.Equal("ok!", sink.Text);
        Assert.Equal(0xE9u, _bus.Read(0xE9, 1));
        Assert.Equal(0xE9u, _bus.Read(0x402, 1));
    }

    [Fact]
    public void PostPort_BothPlaces_KeepTheLastCode()
    {
        var device = new PostPort();
        _bus.Attach(PostPort.Port, PostPort.PortCount, device);
        _bus.Attach(PostPort.AlternativePort, PostPort.PortCount, device);
        Assert.Null(device.LastCode);
        Assert.Equal(0xFFu, _bus.Read(0x80, 1));
        _bus.Write(0x80, 0x11, 1);
        _bus.Write(0x190, 0x22, 1);
        Assert.Equal((byte)0x22, device.LastCode);
        Assert.Equal(0x22u, _bus.Read(0x80, 1));
    }

    private sealed class CountingStopper : IRunStopper
    {
        public int Requests { get; private set; }

        public void RequestStop() => Requests++;
    }
}
