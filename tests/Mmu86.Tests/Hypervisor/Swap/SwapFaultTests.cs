using Mmu86.Hypervisor.Swap;
using Mmu86.TestKit.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Swap;

public sealed class SwapFaultTests
{
    private const int Page = SwapSlot.SizeInBytes;
    private readonly MemorySwapDevice _device = new(256);

    [Theory]
    [InlineData(SwapStatus.ShortRead)]
    [InlineData(SwapStatus.ReadFailed)]
    public void Load_ReadThatFails_SaysSoGivesZerosAndMayBeTriedAgain(SwapStatus status)
    {
        using var world = new SwapWorld(new FailingSwapDevice(_device, read => read == 0 ? status : SwapStatus.Done, _ => SwapStatus.Done));
        SwapSlot slot = world.Store(1, Pages.Noise(1));
        world.Drain();
        (SwapOutcome outcome, byte[] page) = world.Load(1, slot);
        Assert.Equal(status, outcome.Status);
        Assert.Equal(new byte[Page], page);
        Assert.Equal((1UL, 0UL), (world.Space.CountsOf(1).ReadFailures, world.Space.CountsOf(1).PagesIn));
        world.AssertLoads(Pages.Noise(1), 1, slot);
    }

    [Fact]
    public void Load_NeighbourCannotBeRead_PageIsReadByItself()
    {
        using var world = new SwapWorld(new FailingSwapDevice(_device, read => read == 1 ? SwapStatus.ShortRead : SwapStatus.Done, _ => SwapStatus.Done));
        SwapSlot[] slots = [.. Enumerable.Range(0, 4).Select(i => world.Store(1, Pages.Noise(i)))];
        world.Drain();
        world.AssertLoads(Pages.Noise(1), 1, slots[1]);
        (SwapOutcome outcome, byte[] page) = world.Load(1, slots[2]);
        Assert.True(outcome.IsDone);
        Assert.Equal(Pages.Noise(2), page);

        // Both tries took their time.
        Assert.Equal(world.Now + (2 * 51_000) + 2343 + 1172, outcome.ReadyAt);
        Assert.Equal((1UL, 0UL), (world.Space.CountsOf(1).ReadFailures, world.Space.CountsOf(1).PagesReadAhead));
    }

    [Theory]
    [InlineData(SwapStatus.ShortWrite)]
    [InlineData(SwapStatus.WriteFailed)]
    [InlineData(SwapStatus.DeviceFull)]
    public void Write_ThatFails_LosesNothingAndIsMadeAgain(SwapStatus status)
    {
        using var world = new SwapWorld(new FailingSwapDevice(_device, _ => SwapStatus.Done, write => write == 0 ? status : SwapStatus.Done));
        SwapSlot[] slots = [.. Enumerable.Range(0, 3).Select(i => world.Store(1, Pages.Noise(i)))];
        world.Now = world.Space.Flush(world.Now);
        world.AssertLoads(Pages.Noise(1), 1, slots[1]);
        Assert.Equal((3UL, 1UL), (world.Space.CountsOf(1).HeldPages, world.Space.CountsOf(1).WriteFailures));
        world.Space.Free(1, slots[0]);
        world.Drain();
        Assert.Equal((0UL, 1UL), (world.Space.CountsOf(1).HeldPages, world.Space.CountsOf(1).WriteOperations));
        for (int i = 1; i < 3; i++)
            world.AssertLoads(Pages.Noise(i), 1, slots[i]);
        Assert.NotEmpty(_device.Reads);
        Assert.Equal(254u, world.Space.SlotsFree);
    }

    [Fact]
    public void Write_ThatFails_IsLearntAtItsSimulatedCompletionAndNotBefore()
    {
        using var world = new SwapWorld(new FailingSwapDevice(_device, _ => SwapStatus.Done, _ => SwapStatus.WriteFailed));
        SwapSlot slot = world.Store(1, Pages.Noise(1));
        ulong complete = world.Space.Flush(world.Now);
        world.Now = complete - 1;
        world.AssertLoads(Pages.Noise(1), 1, slot);
        Assert.Equal((0UL, 0UL), (world.Space.CountsOf(1).WriteFailures, world.Space.CountsOf(1).HeldPages));
        world.Now = complete;
        world.AssertLoads(Pages.Noise(1), 1, slot);
        Assert.Equal((1UL, 1UL), (world.Space.CountsOf(1).WriteFailures, world.Space.CountsOf(1).HeldPages));
    }

    [Fact]
    public void Store_DeviceThatNeverWrites_TakesNoMoreThanCanBeHeldAndLosesNothing()
    {
        using var world = new SwapWorld(new FailingSwapDevice(_device, _ => SwapStatus.Done, _ => SwapStatus.WriteFailed));
        var stored = new List<(SwapSlot Slot, int Seed)>();
        for (int i = 0; i < 200; i++)
        {
            SwapOutcome outcome = world.Space.Store(1, Pages.Noise(i), world.Now, out SwapSlot slot);
            world.Now = world.Space.Flush(world.Now) + 1;
            if (outcome.IsDone)
                stored.Add((slot, i));
            else
                Assert.Equal(SwapStatus.WriteFailed, outcome.Status);
        }

        Assert.InRange(stored.Count, 16, 16 + (4 * 4));
        foreach ((SwapSlot slot, int seed) in stored)
            world.AssertLoads(Pages.Noise(seed), 1, slot);
    }

    [Theory]
    [InlineData(PageDamage.Torn)]
    [InlineData(PageDamage.FlippedBit)]
    [InlineData(PageDamage.Lost)]
    public void Load_DamagedPage_IsFoundAndTheOthersAreWhole(PageDamage damage)
    {
        using var world = new SwapWorld(new TornSwapDevice(_device, number => number == 5 ? damage : PageDamage.None));
        SwapSlot[] slots = [.. Enumerable.Range(0, 8).Select(i => world.Store(1, Pages.Noise(i)))];
        world.Drain();
        for (int i = 0; i < 8; i++)
        {
            (SwapOutcome outcome, byte[] page) = world.Load(1, slots[i]);
            Assert.Equal(i == 5 ? SwapStatus.ChecksumMismatch : SwapStatus.Done, outcome.Status);
            Assert.Equal(i == 5 ? new byte[Page] : Pages.Noise(i), page);
        }

        Assert.Equal(1UL, world.Space.CountsOf(1).ChecksumMismatches);
        Assert.Equal(SwapStatus.ChecksumMismatch, world.Space.Inspect(1, slots[5], new byte[Page]));
    }

    [Fact]
    public void Load_WriteThatNeverArrivedInAnothersOldSlot_ShowsNoneOfItsBytes()
    {
        var device = new MemorySwapDevice(1);
        using var world = new SwapWorld(new TornSwapDevice(device, number => number == 1 ? PageDamage.Lost : PageDamage.None));
        SwapSlot secret = world.Store(1, Pages.Noise(1));
        world.Drain();
        world.Space.Free(1, secret);
        SwapSlot slot = world.Store(2, Pages.Noise(2));
        world.Drain();
        Assert.Equal(Pages.Noise(1), device.Bytes.ToArray());
        (SwapOutcome outcome, byte[] page) = world.Load(2, slot);
        Assert.Equal(SwapStatus.ChecksumMismatch, outcome.Status);
        Assert.Equal(new byte[Page], page);
    }

    [Fact]
    public void Timing_WithSpikes_MakesLoadsLaterAndNothingElse()
    {
        var plain = new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!);
        using var world = new SwapWorld(_device, new SpikingSwapTiming(plain, 2, 1_000_000), SwapWorld.Small);
        SwapSlot slot = world.Store(1, Pages.Noise(1));
        world.Drain();
        (SwapOutcome outcome, byte[] page) = world.Load(1, slot);
        Assert.Equal(Pages.Noise(1), page);
        Assert.Equal(world.Now + 51_000 + 1172 + 1_000_000, outcome.ReadyAt);
    }
}
