using Mmu86.Cpu;
using Mmu86.Devices;
using Mmu86.Hypervisor;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Running.Platform;

/// <summary>The devices of a bare-metal machine and the wires between them.</summary>
internal sealed class PcPlatform : IMachineReset, ICachedTranslations
{
    private const string Section = "platform";
    private const int TimerLine = 0;
    private const int KeyboardLine = 1;
    private const int SerialLine = 4;
    private const int ClockLine = 8;

    // The lines of the PCI bus, which devices share.
    private const int LevelLines = (1 << VirtualDevices.BalloonLine) | (1 << VirtualDevices.DiskLine);

    // Line 0 of the ISA bus is pin 2 of the I/O APIC, where the 8259 pair would be.
    private const int TimerPin = 2;

    private readonly PortBus _ports;
    private readonly MmioBus _mmio;
    private readonly IRunStopper _stopper;
    private readonly ProcessorConnection _connection;
    private readonly Timeline _timeline;
    private readonly ApicBus _apicBus = new();
    private readonly LocalApic _localApic;
    private readonly IoApic _ioApic;
    private readonly InterruptControllerPair _pair = new();
    private readonly List<(string Name, ISavedDevice Device)> _saved = [];
    private readonly VirtualDevices? _virtual;
    private IMmu? _mmu;

    /// <summary>Makes the devices and gives them their ports and addresses.</summary>
    /// <param name="ports">The I/O ports.</param>
    /// <param name="mmio">The physical addresses that are no RAM.</param>
    /// <param name="memoryBytes">RAM.</param>
    /// <param name="frequency">Ticks of the virtual clock in one second.</param>
    /// <param name="output">Where the guest's bytes go.</param>
    /// <param name="stopper">Who ends the run.</param>
    /// <param name="hardware">The virtual machine, which has devices of its own; null where the guest is in none.</param>
    public PcPlatform(PortBus ports, MmioBus mmio, ulong memoryBytes, ulong frequency, GuestOutput output, IRunStopper stopper, VirtualHardware? hardware)
    {
        _ports = ports;
        _mmio = mmio;
        _stopper = stopper;
        _connection = new ProcessorConnection(frequency);
        _timeline = new Timeline(_connection);
        _localApic = new LocalApic(0, _connection, _apicBus, this);
        _ioApic = new IoApic(_apicBus);
        Exit = new DebugExit(stopper);
        _timeline.Add(_localApic);
        AttachControllers();
        AttachTimers(memoryBytes, frequency);
        AttachStartUp(memoryBytes);
        SerialPort serial = Saved("serial", new SerialPort(new StreamSink(output.Standard), Line(SerialLine)));
        Attach(SerialPort.FirstPort, SerialPort.PortCount, serial);
        Saved("exit", Exit);
        Saved("post", Post);
        Saved("pic", _pair);
        Saved("ioapic", _ioApic);
        Saved("apic", _localApic);
        _ports.Attach(DebugExit.Port, DebugExit.PortCount, Exit);
        var console = new DebugConsole(new StreamSink(output.Debug));
        _ports.Attach(DebugConsole.Port, DebugConsole.PortCount, console);
        _ports.Attach(DebugConsole.FirmwarePort, DebugConsole.PortCount, console);
        _ports.Attach(PostPort.Port, PostPort.PortCount, Post);
        _ports.Attach(PostPort.AlternativePort, PostPort.PortCount, Post);
        if (hardware is not null)
            AttachBus(_virtual = new VirtualDevices(hardware, _timeline, Line, stopper));
    }

    /// <summary>The debug exit.</summary>
    public DebugExit Exit { get; }

    /// <summary>The POST port.</summary>
    public PostPort Post { get; } = new();

    /// <summary>What the disk was asked; null where there is none.</summary>
    public BlockCounts? DiskCounts => _virtual?.Disk.Counts;

    /// <summary>Whether the guest reset the machine, which ends the run.</summary>
    public bool IsResetRequested { get; private set; }

    /// <summary>Connects the processor.</summary>
    public void Connect(Vcpu vcpu, IMmu mmu)
    {
        _mmu = mmu;
        _ports.Unclaimed.InstructionPointer = () => vcpu.Registers.Rip;
        _mmio.Unclaimed.InstructionPointer = () => vcpu.Registers.Rip;
        _connection.Connect(vcpu, _timeline, _localApic, _pair);
    }

    /// <summary>What firmware leaves behind for kernels that it loads: the 8259 pair at vectors 08H and 70H, all lines masked.</summary>
    public void InitialiseAsFirmware()
    {
        foreach ((ushort port, byte vector, byte wiring) in new[] { (InterruptControllerPair.FirstPort, (byte)0x08, (byte)4), (InterruptControllerPair.SecondPort, (byte)0x70, (byte)2) })
        {
            _pair.Write(port, 0x11, 1);
            _pair.Write((ushort)(port + 1), vector, 1);
            _pair.Write((ushort)(port + 1), wiring, 1);
            _pair.Write((ushort)(port + 1), 1, 1);
            _pair.Write((ushort)(port + 1), 0xFF, 1);
        }

        if (_virtual is null)
            return;
        _virtual.InitialiseAsFirmware();
        _pair.Write(InterruptControllerPair.EdgeLevelPort + 1, LevelLines >> 8, 1);
    }

    /// <summary>Does what drivers have asked of devices that reach memory, and what time has finished there. Only while the machine does not run.</summary>
    public void ServeDevices() => _virtual?.Serve();

    /// <inheritdoc/>
    public void RequestReset()
    {
        IsResetRequested = true;
        _stopper.RequestStop();
    }

    /// <inheritdoc/>
    /// <remarks>All of them: the address is that of a frame, and any number of linear addresses may lead there.</remarks>
    public void DropPage(ulong physicalAddress) => _mmu!.InvalidateAll();

    private void AttachControllers()
    {
        Attach(InterruptControllerPair.FirstPort, InterruptControllerPair.PortCount, _pair);
        Attach(InterruptControllerPair.SecondPort, InterruptControllerPair.PortCount, _pair);
        Attach(InterruptControllerPair.EdgeLevelPort, InterruptControllerPair.PortCount, _pair);
        Attach(LocalApicMemory.Address, LocalApicMemory.SizeInBytes, new LocalApicMemory(_localApic));
        Attach(IoApic.Address, IoApic.SizeInBytes, _ioApic);
    }

    private void AttachBus(VirtualDevices devices)
    {
        PciConfigurationPorts configuration = Saved("pci", new PciConfigurationPorts(devices.Bus));
        Saved("bridge", devices.Bridge.Configuration);
        Saved("balloon", devices.Balloon);
        Saved("balloon-target", devices.BalloonControl);
        Saved("disk", devices.DiskTransport);
        Attach(PciConfigurationPorts.AddressPort, PciConfigurationPorts.AddressPortCount, configuration);
        Attach(PciConfigurationPorts.UpperAddressPort, PciConfigurationPorts.UpperAddressPortCount, configuration);
        Attach(PciConfigurationPorts.DataPort, PciConfigurationPorts.DataPortCount, configuration);
        Attach(PciBus.FirstPort, PciBus.PortCount, devices.Bus);
    }

    private void AttachTimers(ulong memoryBytes, ulong frequency)
    {
        IntervalTimer timer = Saved("timer", new IntervalTimer(Line(TimerLine), () => Listens(TimerLine), frequency));
        RealTimeClock clock = Saved("clock", new RealTimeClock(Line(ClockLine), () => Listens(ClockLine), frequency, memoryBytes, cpuCount: 1));
        _timeline.Add(timer);
        _timeline.Add(clock);
        Attach(IntervalTimer.FirstPort, IntervalTimer.PortCount, timer);
        Attach(SystemControlPortB.Port, SystemControlPortB.PortCount, Saved("port-b", new SystemControlPortB(timer, _connection)));
        Attach(RealTimeClock.IndexPort, RealTimeClock.PortCount, clock);
    }

    private void AttachStartUp(ulong memoryBytes)
    {
        var a20 = new A20Gate();
        KeyboardController keyboard = Saved("keyboard", new KeyboardController(Line(KeyboardLine), a20, this));
        Attach(KeyboardController.DataPort, KeyboardController.PortCount, keyboard);
        Attach(KeyboardController.CommandPort, KeyboardController.PortCount, keyboard);
        _ports.Attach(SystemControlPortA.Port, SystemControlPortA.PortCount, Saved("port-a", new SystemControlPortA(a20, this)));
        _ports.Attach(ResetControl.Port, ResetControl.PortCount, Saved("reset", new ResetControl(this)));
        _ports.Attach(FirmwareConfiguration.SelectorPort, FirmwareConfiguration.PortCount, Saved("firmware", new FirmwareConfiguration(memoryBytes, cpuCount: 1)));
        _ports.Attach(TestLatch.FirstPort, TestLatch.PortCount, Saved("test-latch", new TestLatch(this)));
        _mmio.Attach(new HostPhysicalAddress(TestMemory.Address), TestMemory.SizeInBytes, Saved("test-memory", new TestMemory()));
    }

    /// <summary>Writes the section <c>platform</c>: every device. What waits for the processor is in the interrupt controllers.</summary>
    public void SaveState(StateWriter writer)
    {
        writer.Begin(Section);
        writer.Write(IsResetRequested);
        foreach ((_, ISavedDevice device) in _saved)
            device.Save(writer);
        writer.End();
    }

    /// <summary>Reads it back.</summary>
    public void LoadState(StateReader reader)
    {
        reader.Open(Section);
        IsResetRequested = reader.ReadBoolean("resetRequested");
        foreach ((string name, ISavedDevice device) in _saved)
        {
            reader.Enter(name);
            device.Load(reader);
            reader.Leave();
        }

        reader.Close();
    }

    private TDevice Saved<TDevice>(string name, TDevice device)
        where TDevice : ISavedDevice
    {
        _saved.Add((name, device));
        return device;
    }

    private IInterruptLine Line(int line) => new LineFan(_pair.Line(line), _ioApic.Line(Pin(line)));

    private bool Listens(int line) => _pair.Listens(line) || _ioApic.Listens(Pin(line));

    private static int Pin(int line) => line == TimerLine ? TimerPin : line;

    private void Attach(ushort port, int count, IPortDevice device) => _ports.Attach(port, count, new SynchronisedPorts(device, _timeline));

    private void Attach(ulong address, int size, IMmioDevice device) =>
        _mmio.Attach(new HostPhysicalAddress(address), (ulong)size, new SynchronisedMmio(device, _timeline));
}
