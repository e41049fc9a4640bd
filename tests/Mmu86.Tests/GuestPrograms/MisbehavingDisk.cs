using Mmu86.Lab.Running;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>What is wrong with a <see cref="MisbehavingDisk"/>.</summary>
public enum Misbehaviour
{
    NoPorts,
    ReadOnly,
    EmptyQueue,
    QueueOfNoPowerOfTwo,
    EndlessQueue,
    ShortQueue,
    NeverAnswers,
    NeedsReset,
    UsesTooMuch,
    UsesUnknownDescriptor,
    LeavesStatusAlone,
}

/// <summary>A virtio block device alone on a PCI bus, written from the specification and from nothing of the emulator's, that breaks one rule.</summary>
/// <param name="machine">A machine without a bus of its own.</param>
/// <param name="misbehaviour">Which.</param>
internal sealed class MisbehavingDisk(GuestMachine machine, Misbehaviour misbehaviour) : IPortDevice
{
    private const ushort ConfigurationAddress = 0xCF8, ConfigurationData = 0xCFC, Ports = 0xC100;
    private const int QueueSize = 32;

    private uint _address, _queueFrame;
    private byte _status;

    /// <summary>Plugs the device in.</summary>
    public static void Attach(GuestMachine machine, Misbehaviour misbehaviour)
    {
        var disk = new MisbehavingDisk(machine, misbehaviour);
        machine.Ports.Attach(ConfigurationAddress, 1, disk); // its second byte is the port that resets a PC
        machine.Ports.Attach(ConfigurationData, 4, disk);
        machine.Ports.Attach(Ports, 64, disk);
    }

    public uint Read(ushort port, int size) => port switch
    {
        ConfigurationAddress => _address,
        ConfigurationData => Configuration(_address),
        Ports + 0 => misbehaviour == Misbehaviour.ReadOnly ? 1u << 5 : 0,
        Ports + 12 => misbehaviour switch
        {
            Misbehaviour.EmptyQueue => 0u,
            Misbehaviour.QueueOfNoPowerOfTwo => 24,
            Misbehaviour.EndlessQueue => 0x8000,
            Misbehaviour.ShortQueue => 2,
            _ => QueueSize,
        },
        Ports + 18 => _status,
        Ports + 20 => 1 << 20, // sectors
        _ => 0,
    };

    public void Write(ushort port, uint value, int size)
    {
        switch (port)
        {
            case ConfigurationAddress:
                _address = value;
                break;
            case Ports + 8:
                _queueFrame = value;
                break;
            case Ports + 16:
                Notified();
                break;
            case Ports + 18:
                _status = (byte)value;
                break;
        }
    }

    private uint Configuration(uint address) => (address & 0xFFFF) switch
    {
        0x2800 => 0x1001_1AF4,
        0x2810 => misbehaviour == Misbehaviour.NoPorts ? 0xFEB0_0000 : Ports | 1u,
        0x283C => 0x10B,
        _ when (address & 0xF800) == 0x2800 => 0,
        _ => uint.MaxValue,
    };

    private void Notified()
    {
        // The used ring is in the frame behind descriptors and available ring; flags and index, then pairs of identity and length.
        ulong used = ((ulong)_queueFrame + 1) << 12;
        switch (misbehaviour)
        {
            case Misbehaviour.NeedsReset:
                _status |= 0x40;
                break;
            case Misbehaviour.UsesTooMuch:
                Store(used, QueueSize << 16);
                break;
            case Misbehaviour.UsesUnknownDescriptor:
                Store(used + 4, QueueSize);
                Store(used, 1 << 16);
                break;
            case Misbehaviour.LeavesStatusAlone:
                Store(used + 4, 0);
                Store(used, Available() << 16);
                break;
        }
    }

    // Guest-physical is host-physical on such a machine.
    private uint Available() => machine.Vcpu.Bus.Memory.Read<ushort>(new HostPhysicalAddress(((ulong)_queueFrame << 12) + (16 * QueueSize) + 2));

    private void Store(ulong address, uint value) => machine.Vcpu.Bus.Memory.Write(new HostPhysicalAddress(address), value);
}
