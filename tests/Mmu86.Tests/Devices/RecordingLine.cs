using Mmu86.Devices;

namespace Mmu86.Tests.Devices;

/// <summary>Knows whether a device asks for an interrupt.</summary>
internal sealed class RecordingLine : IInterruptLine
{
    public bool IsRaised { get; private set; }

    public void Raise() => IsRaised = true;

    public void Lower() => IsRaised = false;
}
