using Mmu86.Hypervisor.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Swap;

/// <summary>A swap space with what tests ask of it all the time.</summary>
internal sealed class SwapWorld(ISwapDevice device, ISwapTiming timing, SwapSpaceOptions options) : IDisposable
{
    /// <summary>Small, so that limits are met.</summary>
    public static SwapSpaceOptions Small { get; } = SwapSpaceOptions.Standard with { ClusterPages = 4, ClustersUnderWay = 4, ReadAheadCachePages = 16, HeldPages = 16 };

    public SwapWorld(ISwapDevice device)
        : this(device, new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!), Small)
    {
    }

    public SwapSpace Space { get; } = new(device, timing, options);

    public ulong Now { get; set; }

    public SwapSlot Store(int owner, byte[] page)
    {
        SwapOutcome outcome = Space.Store(owner, page, Now, out SwapSlot slot);
        Assert.Equal(SwapStatus.Done, outcome.Status);
        return slot;
    }

    /// <summary>Writes everything and waits for it in simulated time.</summary>
    public void Drain()
    {
        Now = Space.Flush(Now);
        _ = Space.Flush(Now);
    }

    public (SwapOutcome Outcome, byte[] Page) Load(int owner, SwapSlot slot)
    {
        byte[] page = Pages.Noise(0);
        return (Space.Load(owner, slot, Now, page), page);
    }

    public void AssertLoads(byte[] expected, int owner, SwapSlot slot)
    {
        (SwapOutcome outcome, byte[] page) = Load(owner, slot);
        Assert.Equal(SwapStatus.Done, outcome.Status);
        Assert.Equal(expected, page);
    }

    public void Dispose() => Space.Dispose();
}
