using Mmu86.Devices;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>Counts how often the machine was to be stopped.</summary>
internal sealed class CountingStopper : IRunStopper
{
    public int Stops { get; private set; }

    public void RequestStop() => Stops++;
}
