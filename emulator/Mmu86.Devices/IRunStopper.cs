namespace Mmu86.Devices;

/// <summary>One that can end the run of a machine.</summary>
public interface IRunStopper
{
    /// <summary>No instruction is to start after the one that caused this call.</summary>
    void RequestStop();
}
