using Mmu86.Devices;
using Mmu86.Memory;
using Xunit;

namespace Mmu86.Tests.Devices;

/// <summary>Devices that start-up code asks for.</summary>
public sealed class PlatformDeviceTests
{
    private readonly RecordingLine _line = new();
    private readonly RecordingReset _reset = new();
    private readonly A20Gate _a20 = new();

    [Fact]
    public void FirmwareConfiguration_TellsSignatureMemoryAndProcessors()
    {
        var device = new FirmwareConfiguration(0x1_2345_6000, 3);
        Assert.Equal("QEMU"u8.ToArray(), Item(device, 0, 4));
        Assert.Equal([0x00, 0x60, 0x45, 0x23, 0x01, 0, 0, 0], Item(device, 3, 8));
        Assert.Equal([3, 0], Item(device, 5, 2));
        Assert.Equal([3, 0], Item(device, 15, 2));
        Assert.Equal([0, 0], Item(device, 0x4242, 2));
        device.Write(0x510, 3, 2);
        Assert.Equal(0x2345_6000u, device.Read(0x511, 4));
        Assert.Equal(1u, device.Read(0x511, 4));
        Assert.Equal(0u, device.Read(0x511, 4));
    }

    [Fact]
    public void ResetControl_ResetsAsBitTwoBecomesOne()
    {
        var device = new ResetControl(_reset);
        device.Write(0xCF9, 0x02, 1);
        Assert.Equal((0, 0x02u), (_reset.Requests, device.Read(0xCF9, 1)));
        device.Write(0xCF9, 0x06, 1);
        Assert.Equal((1, 0x06u), (_reset.Requests, device.Read(0xCF9, 1)));
        device.Write(0xCF9, 0xFE, 1);
        Assert.Equal((1, 0xFF06u), (_reset.Requests, device.Read(0xCF9, 2)));
        device.Write(0xCF9, 0x00, 1);
        device.Write(0xCF9, 0x04, 1);
        Assert.Equal(2, _reset.Requests);
    }

    [Fact]
    public void TestLatch_ReadsAsWrittenAndDropsAPage()
    {
        var translations = new RecordingTranslations();
        var device = new TestLatch(translations);
        device.Write(0xE0, 0x1234_5678, 4);
        Assert.Equal((0x78u, 0x3456u, 0x1234_5678u), (device.Read(0xE0, 1), device.Read(0xE1, 2), device.Read(0xE0, 4)));
        Assert.Empty(translations.Dropped);
        device.Write(0xE4, 0x5000, 4);
        Assert.Equal([0x5000UL], translations.Dropped);
        Assert.Equal(0x5000u, device.Read(0xE4, 4));
        device.Write(0xE7, 0xABCD, 2);
        Assert.Equal((0xCDu, 0xFFCDu), (device.Read(0xE7, 1), device.Read(0xE7, 2)));
    }

    [Fact]
    public void TestMemory_BehavesAsRam()
    {
        var bus = new MmioBus();
        bus.Attach(new X86.HostPhysicalAddress(TestMemory.Address), TestMemory.SizeInBytes, new TestMemory());
        bus.Write(new X86.HostPhysicalAddress(0xFF00_0010), 0x1122_3344_5566_7788, 8);
        bus.Write(new X86.HostPhysicalAddress(0xFF00_0012), 0xAB, 1);
        Assert.Equal(0x1122_3344_55AB_7788u, bus.Read(new X86.HostPhysicalAddress(0xFF00_0010), 8));
        Assert.Equal(0x44_55ABu & 0xFFFF, bus.Read(new X86.HostPhysicalAddress(0xFF00_0012), 2));
        bus.Write(new X86.HostPhysicalAddress(0xFF00_FFFF), 0x5A, 1);
        Assert.Equal(0x5Au, bus.Read(new X86.HostPhysicalAddress(0xFF00_FFFF), 1));
    }

    // Command, data written with it (-1: none), bytes that come back.
    [Theory]
    [InlineData(0xAA, -1, new byte[] { 0x55 })]
    [InlineData(0xAB, -1, new byte[] { 0x00 })]
    [InlineData(0xA9, -1, new byte[] { 0x00 })]
    [InlineData(0x20, -1, new byte[] { 0x04 })]
    [InlineData(0xD0, -1, new byte[] { 0x03 })]
    [InlineData(0xD2, 0x42, new byte[] { 0x42 })]
    [InlineData(0xA8, -1, new byte[0])]
    public void KeyboardController_Command_Answers(byte command, int data, byte[] answer)
    {
        KeyboardController device = Keyboard();
        device.Write(0x64, command, 1);
        if (data >= 0)
            device.Write(0x60, (uint)data, 1);
        Assert.Equal(answer, Drain(device));
    }

    // What the keyboard itself answers.
    [Theory]
    [InlineData(0xFF, new byte[] { 0xFA, 0xAA })]
    [InlineData(0xF2, new byte[] { 0xFA, 0xAB, 0x83 })]
    [InlineData(0xEE, new byte[] { 0xEE })]
    [InlineData(0xF4, new byte[] { 0xFA })]
    public void Keyboard_Command_Answers(byte command, byte[] answer)
    {
        KeyboardController device = Keyboard();
        device.Write(0x60, command, 1);
        Assert.Equal(answer, Drain(device));
    }

    [Fact]
    public void KeyboardController_Interrupt_FollowsTheOutputBuffer()
    {
        KeyboardController device = Keyboard();
        device.Write(0x64, 0x60, 1);
        device.Write(0x60, 0x45, 1);
        Assert.False(_line.IsRaised);
        device.Write(0x60, 0xEE, 1);
        Assert.True(_line.IsRaised);
        Assert.Equal(0xEEu, device.Read(0x60, 1));
        Assert.False(_line.IsRaised);
    }

    [Fact]
    public void A20Gate_IsSetByTheControllerAndByPort92()
    {
        KeyboardController device = Keyboard();
        var fast = new SystemControlPortA(_a20, _reset);
        Assert.Equal(2u, fast.Read(0x92, 1));
        device.Write(0x64, 0xD1, 1);
        device.Write(0x60, 0x01, 1);
        Assert.Equal(0u, fast.Read(0x92, 1));
        fast.Write(0x92, 2, 1);
        device.Write(0x64, 0xD0, 1);
        Assert.Equal([3], Drain(device));
        device.Write(0x64, 0xDD, 1);
        Assert.False(_a20.IsOpen);
        Assert.Equal(0, _reset.Requests);
    }

    [Fact]
    public void Reset_ComesFromTheControllerAndFromPort92()
    {
        KeyboardController device = Keyboard();
        device.Write(0x64, 0xFF, 1); // pulses nothing
        Assert.Equal(0, _reset.Requests);
        device.Write(0x64, 0xFE, 1);
        new SystemControlPortA(_a20, _reset).Write(0x92, 3, 1);
        device.Write(0x64, 0xD1, 1);
        device.Write(0x60, 0x02, 1);
        Assert.Equal(3, _reset.Requests);
    }

    private static byte[] Item(FirmwareConfiguration device, ushort selector, int count)
    {
        device.Write(0x510, selector, 2);
        return [.. Enumerable.Range(0, count).Select(_ => (byte)device.Read(0x511, 1))];
    }

    private static byte[] Drain(KeyboardController device)
    {
        var bytes = new List<byte>();
        while ((device.Read(0x64, 1) & 1) != 0)
            bytes.Add((byte)device.Read(0x60, 1));
        return [.. bytes];
    }

    private KeyboardController Keyboard() => new(_line, _a20, _reset);

    private sealed class RecordingReset : IMachineReset
    {
        public int Requests { get; private set; }

        public void RequestReset() => Requests++;
    }

    private sealed class RecordingTranslations : ICachedTranslations
    {
        public List<ulong> Dropped { get; } = [];

        public void DropPage(ulong physicalAddress) => Dropped.Add(physicalAddress);
    }
}
