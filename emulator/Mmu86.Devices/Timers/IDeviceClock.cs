namespace Mmu86.Devices;

/// <summary>The virtual clock as devices see it. It never depends on the host's.</summary>
public interface IDeviceClock
{
    /// <summary>Ticks since the machine was made.</summary>
    ulong Now { get; }

    /// <summary>Ticks in one second.</summary>
    ulong Frequency { get; }
}
