namespace Mmu86.Hypervisor.Swap;

/// <summary>Says when operations of a swap device are complete in simulated time. It depends on what it was asked and nothing else.</summary>
public interface ISwapTiming
{
    /// <summary>Takes one operation.</summary>
    /// <param name="operation">What is done.</param>
    /// <param name="offset">Its first byte on the device.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="now">Virtual nanoseconds at which it is handed to the device. May be less than at the operation before.</param>
    /// <returns>Virtual nanoseconds at which it is complete, at least <paramref name="now"/>.</returns>
    ulong Complete(SwapOperation operation, ulong offset, int bytes, ulong now);
}
