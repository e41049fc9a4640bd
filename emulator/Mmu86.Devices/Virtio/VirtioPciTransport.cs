using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A virtio device on a PCI bus as drivers before VIRTIO 1.0 know it: registers in ports, one interrupt line. VIRTIO 1.2, "Legacy Interfaces: A Note on PCI Device Layout".</summary>
/// <remarks>
/// The driver's notifications are kept until <see cref="Serve"/>, for which the machine stops: what a device does to memory is done while no machine
/// runs. To the guest it is done behind the OUT.
/// </remarks>
public sealed class VirtioPciTransport : IPciFunction, ISavedDevice
{
    /// <summary>Ports that a device claims.</summary>
    public const int PortCount = 64;

    private const ushort Vendor = 0x1AF4;
    private const int DeviceFeatures = 0x00;
    private const int DriverFeaturesOffset = 0x04;
    private const int QueueFrame = 0x08;
    private const int QueueSize = 0x0C;
    private const int QueueSelect = 0x0E;
    private const int QueueNotify = 0x10;
    private const int DeviceStatus = 0x12;
    private const int InterruptStatus = 0x13;
    private const int DeviceConfiguration = 0x14;
    private const byte StatusDriverOk = 4;
    private const byte StatusNeedsReset = 0x40;
    private const byte StatusFailed = 0x80;
    private const byte InterruptQueue = 1;
    private const byte InterruptConfiguration = 2;

    private readonly IVirtioDevice _device;
    private readonly IInterruptLine _line;
    private readonly IRunStopper _stopper;
    private readonly VirtQueue[] _queues;
    private uint _notified;
    private ushort _selected;
    private byte _status;
    private byte _interrupts;

    /// <summary>Makes the transport of a device.</summary>
    /// <param name="identity">What it says it is on the bus.</param>
    /// <param name="device">The device.</param>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="line">Its interrupt.</param>
    /// <param name="stopper">Who stops the machine so that the device is served.</param>
    public VirtioPciTransport(PciIdentity identity, IVirtioDevice device, IDeviceMemory memory, IInterruptLine line, IRunStopper stopper)
    {
        _device = device;
        _line = line;
        _stopper = stopper;
        _queues = new VirtQueue[device.QueueCount];
        for (int i = 0; i < _queues.Length; i++)
            _queues[i] = new VirtQueue(memory);
        Configuration = new PciConfigurationSpace(identity) { Written = UpdateLine };
        device.Connect(this);
    }

    /// <inheritdoc/>
    public PciConfigurationSpace Configuration { get; }

    /// <summary>The features that the driver accepted.</summary>
    public uint DriverFeatures { get; private set; }

    /// <summary>How often a queue or its user was found broken.</summary>
    public ulong Broken { get; private set; }

    /// <summary>Called when the device has changed its interrupt while the guest did not access it; null while nobody needs to know.</summary>
    public Action? Interrupted { get; set; }

    /// <summary>What a device of a type is on the bus.</summary>
    /// <param name="device">The legacy device ID: 0x1000 and above.</param>
    /// <param name="type">The type as virtio numbers it.</param>
    /// <param name="classCode">Base class, subclass and programming interface.</param>
    /// <param name="interruptLine">Where its interrupt leads.</param>
    public static PciIdentity Identify(ushort device, ushort type, uint classCode, byte interruptLine) => new()
    {
        Vendor = Vendor,
        Device = device,
        ClassCode = classCode,
        Revision = 0,
        SubsystemVendor = Vendor,
        Subsystem = type,
        PortCount = PortCount,
        InterruptLine = interruptLine,
    };

    /// <summary>A queue.</summary>
    public VirtQueue Queue(int index) => _queues[index];

    /// <summary>Does what the driver has asked for and what time has finished. Only while the machine does not run.</summary>
    public void Serve()
    {
        _device.ServeTime();
        for (int i = 0; i < _queues.Length; i++)
        {
            if ((_notified & (1u << i)) != 0)
                _device.Serve(i, _queues[i]);
        }

        _notified = 0;
        foreach (VirtQueue queue in _queues)
        {
            if (queue.IsBroken && (_status & StatusNeedsReset) == 0)
            {
                _status |= StatusNeedsReset;
                Broken++;
                _device.DriverChanged(isDriven: false);
            }
        }
    }

    /// <summary>Something was returned in a queue: the driver is told, unless it does not want to be.</summary>
    public void NoteReturned(VirtQueue queue)
    {
        if (queue.WantsInterrupt)
            Interrupt(InterruptQueue);
    }

    /// <summary>The device's configuration is another: the driver is told.</summary>
    public void NoteConfigurationChanged()
    {
        if ((_status & StatusDriverOk) != 0)
            Interrupt(InterruptConfiguration);
    }

    /// <summary>Asks for <see cref="Serve"/>, which ends the run.</summary>
    public void RequestService() => _stopper.RequestStop();

    /// <inheritdoc/>
    public uint ReadPort(int offset, int size) => PortBytes.Ones(size) & offset switch
    {
        DeviceFeatures => _device.Features,
        DriverFeaturesOffset => DriverFeatures,
        QueueFrame => _selected < _queues.Length ? _queues[_selected].PageFrameNumber : 0,
        QueueSize => _selected < _queues.Length ? (uint)VirtQueue.Size : 0,
        QueueSelect => _selected,
        DeviceStatus => _status,
        InterruptStatus => TakeInterrupts(),
        >= DeviceConfiguration => ReadConfiguration(offset - DeviceConfiguration, size),
        _ => 0,
    };

    /// <inheritdoc/>
    public void WritePort(int offset, uint value, int size)
    {
        value &= PortBytes.Ones(size);
        switch (offset)
        {
            case DriverFeaturesOffset:
                DriverFeatures = value & _device.Features;
                break;
            case QueueFrame when _selected < _queues.Length:
                _queues[_selected].Place(value);
                break;
            case QueueSelect:
                _selected = (ushort)value;
                break;
            case QueueNotify:
                Notify((ushort)value);
                break;
            case DeviceStatus:
                WriteStatus((byte)value);
                break;
            case >= DeviceConfiguration:
                _device.WriteConfiguration(offset - DeviceConfiguration, value, size);
                break;
            default:
                break; // read only, or nothing
        }
    }

    private void Notify(ushort index)
    {
        if (index >= _queues.Length || !_queues[index].IsReady || (_status & StatusNeedsReset) != 0)
            return;
        _notified |= 1u << index;
        RequestService();
    }

    private void WriteStatus(byte value)
    {
        if (value == 0)
        {
            Reset();
            return;
        }

        _status = (byte)(value | (_status & StatusNeedsReset));
        _device.DriverChanged((_status & (StatusDriverOk | StatusNeedsReset | StatusFailed)) == StatusDriverOk);
    }

    private void Reset()
    {
        _status = 0;
        _selected = 0;
        _notified = 0;
        _interrupts = 0;
        DriverFeatures = 0;
        foreach (VirtQueue queue in _queues)
            queue.Place(0);
        _device.Reset();
        UpdateLine();
    }

    private uint ReadConfiguration(int offset, int size)
    {
        uint value = 0;
        for (int i = 0; i < size; i++)
            value |= (uint)_device.ReadConfiguration(offset + i) << (8 * i);
        return value;
    }

    private byte TakeInterrupts()
    {
        byte value = _interrupts;
        _interrupts = 0;
        UpdateLine();
        return value;
    }

    private void Interrupt(byte cause)
    {
        _interrupts |= cause;
        UpdateLine();
        Interrupted?.Invoke();
    }

    private void UpdateLine()
    {
        Configuration.IsInterrupting = _interrupts != 0;
        if (_interrupts != 0 && Configuration.AllowsInterrupt)
            _line.Raise();
        else
            _line.Lower();
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        Configuration.Save(writer);
        writer.Write(DriverFeatures);
        writer.Write(Broken);
        writer.Write(_notified);
        writer.Write(_selected);
        writer.Write(_status);
        writer.Write(_interrupts);
        foreach (VirtQueue queue in _queues)
            queue.Save(writer);
        _device.Save(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        Configuration.Load(reader);
        DriverFeatures = reader.ReadUInt32("driverFeatures");
        Broken = reader.ReadUInt64("brokenTimes");
        _notified = reader.ReadUInt32("notified");
        _selected = reader.ReadUInt16("selected");
        _status = reader.ReadByte("status");
        _interrupts = reader.ReadByte("interrupts");
        foreach (VirtQueue queue in _queues)
            queue.Load(reader);
        _device.Load(reader);
    }
}
