namespace Mmu86.Devices;

/// <summary>One that resets the machine.</summary>
public interface IMachineReset
{
    /// <summary>The guest asked for a reset. No instruction is to start after the one that caused this call.</summary>
    void RequestReset();
}
