using Mmu86.Devices;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Balloon;
using Mmu86.Hypervisor.Swap;
using Mmu86.Memory;

namespace Mmu86.Lab.Running.Platform;

/// <summary>What a machine has because it is a virtual one: a PCI bus with a balloon and a disk.</summary>
internal sealed class VirtualDevices
{
    /// <summary>The interrupt line of the balloon.</summary>
    public const byte BalloonLine = 10;

    /// <summary>The interrupt line of the disk.</summary>
    public const byte DiskLine = 11;

    private const int BalloonSlot = 3;
    private const int DiskSlot = 4;
    private const ushort BalloonPort = 0xC000;
    private const ushort DiskPort = BalloonPort + VirtioPciTransport.PortCount;

    // Base class and subclass: none that is defined; mass storage, SCSI, as legacy virtio devices have them.
    private const uint BalloonClass = 0x00_FF_00;
    private const uint DiskClass = 0x01_00_00;

    /// <summary>Makes the bus and what is on it.</summary>
    /// <param name="hardware">The machine, and what it has.</param>
    /// <param name="timeline">Its time.</param>
    /// <param name="line">The interrupt line of a number.</param>
    /// <param name="stopper">Who stops the machine so that a device is served.</param>
    public VirtualDevices(VirtualHardware hardware, Timeline timeline, Func<int, IInterruptLine> line, IRunStopper stopper)
    {
        VirtualMachine machine = hardware.Machine;
        BalloonControl = machine.Balloon;
        var memory = new GuestDeviceMemory(machine.Memory);
        var balloon = new BalloonDevice(machine.Balloon);
        machine.Balloon.Connect(balloon);
        Balloon = new VirtioPciTransport(
            VirtioPciTransport.Identify(BalloonDevice.PciDevice, BalloonDevice.Type, BalloonClass, BalloonLine), balloon, memory, line(BalloonLine), stopper)
        {
            Interrupted = () => timeline.Touched?.Invoke(),
        };
        machine.Disk = new GuestDisk(hardware.Disk.SizeInBytes, hardware.DiskFolder);
        Disk = new BlockDevice(machine.Disk, new DiskTiming(new SwapDeviceModel(hardware.Disk.Device)), timeline.Clock);
        timeline.Add(Disk);
        DiskTransport = new VirtioPciTransport(
            VirtioPciTransport.Identify(BlockDevice.PciDevice, BlockDevice.Type, DiskClass, DiskLine), Disk, memory, line(DiskLine), stopper)
        {
            Interrupted = () => timeline.Touched?.Invoke(),
        };
        Bus = new PciBus(machine.Ports.Unclaimed);
        Bus.Add(HostBridge.Slot, Bridge);
        Bus.Add(BalloonSlot, Balloon);
        Bus.Add(DiskSlot, DiskTransport);
    }

    /// <summary>The bus.</summary>
    public PciBus Bus { get; }

    /// <summary>The bridge to it.</summary>
    public HostBridge Bridge { get; } = new();

    /// <summary>The balloon as drivers reach it.</summary>
    public VirtioPciTransport Balloon { get; }

    /// <summary>The host's end of the balloon.</summary>
    public BalloonControl BalloonControl { get; }

    /// <summary>The disk.</summary>
    public BlockDevice Disk { get; }

    /// <summary>The disk as drivers reach it.</summary>
    public VirtioPciTransport DiskTransport { get; }

    /// <summary>Gives the devices their ports, as firmware does.</summary>
    public void InitialiseAsFirmware()
    {
        Balloon.Configuration.InitialiseAsFirmware(BalloonPort);
        DiskTransport.Configuration.InitialiseAsFirmware(DiskPort);
    }

    /// <summary>Does what drivers have asked for and what time has finished. Only while the machine does not run.</summary>
    public void Serve()
    {
        Balloon.Serve();
        DiskTransport.Serve();
    }
}
