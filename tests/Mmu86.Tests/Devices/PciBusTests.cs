using Mmu86.Devices;
using Mmu86.Memory;
using Xunit;

namespace Mmu86.Tests.Devices;

public sealed class PciBusTests
{
    private const ushort Address = PciConfigurationPorts.AddressPort;
    private const ushort Data = PciConfigurationPorts.DataPort;
    private const int Slot = 5;

    private readonly PortBus _ports = new();
    private readonly PciBus _bus;
    private readonly PatternFunction _function = new();

    public PciBusTests()
    {
        _bus = new PciBus(_ports.Unclaimed);
        _bus.Add(HostBridge.Slot, new HostBridge());
        _bus.Add(Slot, _function);
        var configuration = new PciConfigurationPorts(_bus);
        _ports.Attach(Address, PciConfigurationPorts.AddressPortCount, configuration);
        _ports.Attach(PciConfigurationPorts.UpperAddressPort, PciConfigurationPorts.UpperAddressPortCount, configuration);
        _ports.Attach(Data, PciConfigurationPorts.DataPortCount, configuration);
        _ports.Attach(PciBus.FirstPort, PciBus.PortCount, _bus);
    }

    [Fact]
    public void Probe_AsLinuxMakesIt_FindsMechanism1()
    {
        _ports.Write(0xCFB, 1, 1);
        uint before = _ports.Read(Address, 4);
        _ports.Write(Address, 0x8000_0000, 4);

        Assert.Equal(0x8000_0000, _ports.Read(Address, 4));
        _ports.Write(Address, before, 4);
        Assert.Equal(0u, _ports.Read(Address, 4));
        Assert.Equal(uint.MaxValue, _ports.Read(Data, 4)); // not enabled
    }

    [Fact]
    public void Scan_OfBus0_FindsTheBridgeAndTheFunction()
    {
        var found = new List<uint>();
        for (uint slot = 0; slot < 32; slot++)
        {
            for (uint function = 0; function < 8; function++)
            {
                _ports.Write(Address, 0x8000_0000 | (slot << 11) | (function << 8), 4);
                if (_ports.Read(Data, 4) is not uint.MaxValue and uint id)
                    found.Add(id);
            }
        }

        Assert.Equal([0x1237_8086u, 0xCDEF_4321u], found);
        _ports.Write(Address, 0x8001_0000 | (Slot << 11), 4);
        Assert.Equal(0xFFFFu, _ports.Read(Data, 2)); // bus 1
        _ports.Write(Address, 0x8000_0000 | 8, 4);
        Assert.Equal((0x06u, 0x0600u, 0x02u), (_ports.Read(Data + 3, 1), _ports.Read(Data + 2, 2), _ports.Read(Data, 1)));
    }

    [Fact]
    public void BaseAddress_AllOnes_TellsItsSizeAndMoves()
    {
        Select(0x10);
        _ports.Write(Data, uint.MaxValue, 4);
        Assert.Equal(0xFFFF_FFC1, _ports.Read(Data, 4));
        _ports.Write(Data, 0x1234_5678, 4);
        Assert.Equal(0x1234_5641u, _ports.Read(Data, 4));
        Configure(0xD043, command: 1);

        Assert.Equal(0x05u, _ports.Read(0xD045, 1));
        Assert.Equal(0xFFu, _ports.Read(0xD080, 1));
        Assert.Equal(0xFFu, _ports.Read(0xC043, 1));
        Configure(0xE000, command: 1);
        Assert.Equal((0xFFu, 0x3Fu), (_ports.Read(0xD040, 1), _ports.Read(0xE03F, 1)));
    }

    [Theory]
    [InlineData(0xD000, 0)] // ports not enabled
    [InlineData(0, 1)] // no address
    [InlineData(0x1_D000, 1)] // beyond the I/O space
    public void Ports_NotClaimed_AreCountedAsNobodys(uint address, ushort command)
    {
        Configure(address, command);

        Assert.Equal(0xFFFFu, _ports.Read(0xD000, 2));
        _ports.Write(0xD000, 1, 2);

        Assert.Equal((1UL, 1UL), (_ports.Unclaimed.Reads, _ports.Unclaimed.Writes));
        Assert.Equal(0, _function.Writes);
    }

    [Fact]
    public void ReadOnlyBytes_KeepTheirValue()
    {
        foreach (int offset in new[] { 0, 8, 0xC, 0x14, 0x2C, 0x30, 0x34, 0x40, 0xFC })
        {
            Select(offset);
            uint before = _ports.Read(Data, 4);
            _ports.Write(Data, ~before, 4);
            Assert.Equal(before, _ports.Read(Data, 4));
        }

        Select(0x3C);
        _ports.Write(Data, 0xFFFF_FF07, 4);
        Assert.Equal(0x0107u, _ports.Read(Data, 4)); // the line may be written, the pin not
        _ports.Write(Data + 1, 0xFFFF_FFFF, 4); // would leave the window
        Assert.Equal((0x0107u, uint.MaxValue), (_ports.Read(Data, 4), _ports.Read(Data + 1, 4)));
    }

    private static uint Target(int offset) => 0x8000_0000 | (Slot << 11) | (uint)offset;

    private void Select(int offset) => _ports.Write(Address, Target(offset), 4);

    private void Configure(uint address, ushort command)
    {
        Select(0x10);
        _ports.Write(Data, address, 4);
        Select(0x04);
        _ports.Write(Data, command, 2);
    }

    /// <summary>Reads as the offset of the port.</summary>
    private sealed class PatternFunction : IPciFunction
    {
        public int Writes { get; private set; }

        public PciConfigurationSpace Configuration { get; } = new(new PciIdentity
        {
            Vendor = 0x4321,
            Device = 0xCDEF,
            ClassCode = 0x00FF00,
            Revision = 1,
            SubsystemVendor = 1,
            Subsystem = 2,
            PortCount = 64,
            InterruptLine = 9,
        });

        public uint ReadPort(int offset, int size) => (uint)offset;

        public void WritePort(int offset, uint value, int size) => Writes++;
    }
}
