namespace Mmu86.Devices;

/// <summary>The wire from a device to an interrupt controller. Level, not edge: raising it twice is raising it once.</summary>
public interface IInterruptLine
{
    /// <summary>The device asks for an interrupt.</summary>
    void Raise();

    /// <summary>The device asks no longer.</summary>
    void Lower();
}
