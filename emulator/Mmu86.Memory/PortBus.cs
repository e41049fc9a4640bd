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
    private readonly SortedDictionary<ushort, UnclaimedPort> _unclaimed = [];

    /// <summary>Ports that the guest used and nobody answers, with their counts.</summary>
    public IReadOnlyDictionary<ushort, UnclaimedPort> Unclaimed => _unclaimed;

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
        UnclaimedPort seen = _unclaimed.GetValueOrDefault(port);
        _unclaimed[port] = seen with { Reads = seen.Reads + 1 };
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

        UnclaimedPort seen = _unclaimed.GetValueOrDefault(port);
        _unclaimed[port] = seen with { Writes = seen.Writes + 1 };
    }
}

/// <summary>How often a guest used a port that nobody answers.</summary>
public readonly record struct UnclaimedPort(ulong Reads, ulong Writes);
