namespace Mmu86.Hypervisor.Swap;

/// <summary>What came of a request to the swap space.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="ReadyAt">Virtual nanoseconds at which whoever asked may go on; never before the moment of the request.</param>
public readonly record struct SwapOutcome(SwapStatus Status, ulong ReadyAt)
{
    /// <summary>Whether all went as asked.</summary>
    public bool IsDone => Status == SwapStatus.Done;
}
