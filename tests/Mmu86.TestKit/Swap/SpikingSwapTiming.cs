using Mmu86.Hypervisor.Swap;

namespace Mmu86.TestKit.Swap;

/// <summary>A device of which every n-th operation takes much longer in simulated time: latency spikes.</summary>
/// <param name="inner">The device without them.</param>
/// <param name="every">Which operations.</param>
/// <param name="nanoseconds">How much longer.</param>
public sealed class SpikingSwapTiming(ISwapTiming inner, int every, ulong nanoseconds) : ISwapTiming
{
    private int _operations;

    /// <inheritdoc/>
    public ulong Complete(SwapOperation operation, ulong offset, int bytes, ulong now)
    {
        ulong complete = inner.Complete(operation, offset, bytes, now);
        return ++_operations % every == 0 ? complete + nanoseconds : complete;
    }
}
