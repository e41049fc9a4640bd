namespace Mmu86.Devices;

/// <summary>The devices of a machine that time changes: brings all of them to now, and knows when the next of them matters.</summary>
/// <param name="clock">The virtual clock.</param>
public sealed class Timeline(IDeviceClock clock)
{
    private readonly List<ITimedDevice> _devices = [];

    /// <summary>The virtual clock.</summary>
    public IDeviceClock Clock => clock;

    /// <summary>Called after the guest accessed a device: its deadlines and what it asks for may be others now.</summary>
    public Action? Touched { get; set; }

    /// <summary>The first moment at which a device may ask for an interrupt; <see cref="ulong.MaxValue"/> where none will.</summary>
    public ulong NextDeadline
    {
        get
        {
            ulong next = ulong.MaxValue;
            foreach (ITimedDevice device in _devices)
            {
                if (device.IsWanted)
                    next = Math.Min(next, device.NextChange);
            }

            return next;
        }
    }

    /// <summary>Adds a device.</summary>
    public void Add(ITimedDevice device) => _devices.Add(device);

    /// <summary>Brings every device to now.</summary>
    public void Advance()
    {
        ulong now = clock.Now;
        foreach (ITimedDevice device in _devices)
            device.AdvanceTo(now);
    }
}
