using Mmu86.Devices;

namespace Mmu86.Tests.Devices;

/// <summary>A clock that shows what the test says, with the interval timer's frequency.</summary>
internal sealed class SettableClock(Func<ulong> now) : IDeviceClock
{
    public ulong Now => now();

    public ulong Frequency => IntervalTimer.Frequency;
}
