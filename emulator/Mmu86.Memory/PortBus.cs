namespace Mmu86.Memory;

/// <summary>A device that answers I/O ports.</summary>
public interface IPortDevice
{
    /// <summary>Answers IN. <paramref name="size"/> is 1, 2 or 4 bytes; the value is in the low bytes.</summary>
    uint Read(ushort port, int size);

    /// <summary>Takes OUT. <paramref name="size"/> is 1, 2 or 4 bytes; the value is in the low bytes.</summary>
    void Write(ushort port, uint value, int size);
}

/// <summary>The I/O address space: 64 Ki ports. Unclaimed reads give all ones, unclaimed writes are dropped, both are counted.</summary>
public sealed class PortBus
{
    private readonly IPortDevice?[] _devices = new IPortDevice?[65536];

    /// <summary>Ports that the guest used and nobody answers.</summary>
    public UnclaimedAccesses Unclaimed { get; } = new();

    /// <summary>Gives <paramref name="count"/> ports from <paramref name="first"/> on to a device.</summary>
    /// <exception cref="InvalidOperationException">A port is taken.</exception>
    public void Attach(ushort first, int count, IPortDevice device)
    {
        for (int port = first; port < first + count; port++)
        {
            if (_devices[port] is not null)
                throw new InvalidOperationException($"Port 0x{port:x} has a device already.");
            _devices[port] = device;
        }
    }

    /// <summary>IN. <paramref name="size"/> is 1, 2 or 4 bytes.</summary>
    public uint Read(ushort port, int size)
    {
        if (_devices[port] is { } device)
            return device.Read(port, size);
        Unclaimed.NoteRead(port);
        return size switch { 1 => 0xFF, 2 => 0xFFFF, _ => 0xFFFF_FFFF };
    }

    /// <summary>OUT. <paramref name="size"/> is 1, 2 or 4 bytes.</summary>
    public void Write(ushort port, uint value, int size)
    {
        if (_devices[port] is { } device)
        {
            device.Write(port, value, size);
            return;
        }

        Unclaimed.NoteWrite(port);
    }
}
