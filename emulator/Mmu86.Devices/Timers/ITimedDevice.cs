namespace Mmu86.Devices;

/// <summary>A device whose outputs change with time and not only when it is accessed.</summary>
public interface ITimedDevice
{
    /// <summary>Whether its next change could matter to anyone: an interrupt controller listens to its line. What does not matter is computed when it is looked at.</summary>
    bool IsWanted { get; }

    /// <summary>When its outputs change next, in ticks of the virtual clock; <see cref="ulong.MaxValue"/> where they will not.</summary>
    ulong NextChange { get; }

    /// <summary>Brings the device to a moment. Moments never go back.</summary>
    /// <param name="now">In ticks of the virtual clock.</param>
    void AdvanceTo(ulong now);
}
