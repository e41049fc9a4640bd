using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Swap;
using Mmu86.TestKit.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Swap;

public sealed class SwapSpaceTests
{
    private const int Page = SwapSlot.SizeInBytes;
    private readonly MemorySwapDevice _device = new(256);

    [Fact]
    public void Store_PageOfZeros_WritesNothingAndTakesNoSlot()
    {
        using var world = new SwapWorld(_device);
        SwapSlot slot = world.Store(1, new byte[Page]);
        world.Drain();
        Assert.Equal(SwapSlot.ZeroPage, slot);
        Assert.Empty(_device.Writes);
        Assert.Equal(256u, world.Space.SlotsFree);
        world.AssertLoads(new byte[Page], 1, slot);
        world.Space.Free(1, slot);
        Assert.Equal(0UL, world.Space.CountsOf(1).ZeroPages);
        Assert.Throws<InvalidOperationException>(() => world.Space.Free(1, slot));
    }

    [Fact]
    public void Store_PagesOfTwoOwnersInTurn_EachGoToTheirOwnClusterInOneWrite()
    {
        using var world = new SwapWorld(_device);
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(new SwapSlot((uint)i, 1), world.Store(1, Pages.Noise(i)));
            Assert.Equal(new SwapSlot(64 + (uint)i, 1), world.Store(2, Pages.Noise(100 + i)));
        }

        world.Drain();
        Assert.Equal([(0UL, 4 * Page), (64UL * Page, 4 * Page)], _device.Writes);
        Assert.Equal((1UL, 4UL * Page), (world.Space.CountsOf(2).WriteOperations, world.Space.CountsOf(2).BytesWritten));
    }

    [Fact]
    public void Load_BeforeTheWriteIsComplete_ComesFromMemoryAtOnce()
    {
        using var world = new SwapWorld(_device);
        SwapSlot slot = world.Store(1, Pages.Noise(1));
        world.AssertLoads(Pages.Noise(1), 1, slot);
        _ = world.Space.Flush(world.Now);
        (SwapOutcome outcome, _) = world.Load(1, slot);
        Assert.Equal(world.Now, outcome.ReadyAt);
        Assert.Empty(_device.Reads);
        Assert.Equal(2UL, world.Space.CountsOf(1).WriteBufferHits);
    }

    [Fact]
    public void Load_PageOnTheDevice_TakesTheDevicesTime()
    {
        using var world = new SwapWorld(_device);
        SwapSlot slot = world.Store(1, Pages.Noise(1));
        world.Drain();
        (SwapOutcome outcome, byte[] page) = world.Load(1, slot);
        Assert.Equal(Pages.Noise(1), page);
        Assert.Equal(world.Now + 51_000 + 1172, outcome.ReadyAt);
        Assert.Equal((1UL, (ulong)Page), (world.Space.CountsOf(1).ReadOperations, world.Space.CountsOf(1).BytesRead));
    }

    [Fact]
    public void Load_SlotsInOrder_ReadsMoreAndMoreAhead()
    {
        using var world = new SwapWorld(_device);
        SwapSlot[] slots = [.. Enumerable.Range(0, 32).Select(i => world.Store(1, Pages.Noise(i)))];
        world.Drain();
        for (int i = 0; i < slots.Length; i++)
        {
            world.AssertLoads(Pages.Noise(i), 1, slots[i]);
            world.Space.Free(1, slots[i]);
            world.Now += 1_000_000;
        }

        SwapCounts counts = world.Space.CountsOf(1);
        Assert.Equal([1, 1, 2, 4, 8, 8, 8], _device.Reads.Select(read => read.Bytes / Page));
        Assert.Equal((25UL, 25UL, 32UL * Page), (counts.PagesReadAhead, counts.ReadAheadHits, counts.BytesRead));
    }

    [Fact]
    public void Load_SlotsAtRandomDistances_ReadsNothingAhead()
    {
        using var world = new SwapWorld(_device);
        SwapSlot[] slots = [.. Enumerable.Range(0, 32).Select(i => world.Store(1, Pages.Noise(i)))];
        world.Drain();
        for (int i = 0; i < slots.Length; i++)
            world.AssertLoads(Pages.Noise(i * 11 % 32), 1, slots[i * 11 % 32]);
        Assert.Equal(32UL, world.Space.CountsOf(1).ReadOperations);
        Assert.Equal(0UL, world.Space.CountsOf(1).PagesReadAhead);
    }

    [Fact]
    public void Load_ReadAheadPageBeforeItHasArrived_WaitsForItsArrival()
    {
        using var world = new SwapWorld(_device, new SwapDeviceModel(SwapDeviceTimes.Find("hdd")!), SwapWorld.Small);
        SwapSlot[] slots = [.. Enumerable.Range(0, 4).Select(i => world.Store(1, Pages.Noise(i)))];
        world.Drain();
        _ = world.Load(1, slots[1]);
        ulong arrives = world.Load(1, slots[2]).Outcome.ReadyAt;
        Assert.Equal(arrives, world.Load(1, slots[3]).Outcome.ReadyAt);
        Assert.Equal(1UL, world.Space.CountsOf(1).ReadAheadHits);
    }

    [Fact]
    public void Load_NeighboursOfAnotherOwner_AreNotReadAhead()
    {
        var device = new MemorySwapDevice(4);
        using var world = new SwapWorld(device);
        SwapSlot[] slots = [.. Enumerable.Range(0, 4).Select(i => world.Store(i % 2, Pages.Noise(i)))];
        Assert.Equal([0u, 1, 2, 3], slots.Select(slot => slot.Number));
        world.Drain();
        for (int i = 0; i < 4; i++)
            world.AssertLoads(Pages.Noise(i), i % 2, slots[i]);
        Assert.All(device.Reads, read => Assert.Equal(Page, read.Bytes));
    }

    [Fact]
    public void Pool_PagesThatShrink_StayInMemoryUntilTheOldestMustGo()
    {
        using var world = new SwapWorld(_device, new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!), SwapWorld.Small with { CompressedPoolBytes = 1024 });
        var slots = new List<SwapSlot>();
        SwapCounts counts = world.Space.CountsOf(1);
        while (counts.PagesWrittenBack == 0)
            slots.Add(world.Store(1, Pages.Text(slots.Count)));
        Assert.InRange(slots.Count, 4, 64);
        Assert.InRange(counts.PooledBytes, 1UL, 1024UL);
        Assert.Equal((ulong)slots.Count, counts.PooledPages + counts.PagesWrittenBack);
        Assert.Equal(4UL, counts.PagesWrittenBack);
        world.Drain();
        Assert.Equal([(0UL, 4 * Page)], _device.Writes);
        (SwapOutcome outcome, byte[] page) = world.Load(1, slots[^1]);
        Assert.Equal(Pages.Text(slots.Count - 1), page);
        Assert.Equal(world.Now + SwapWorld.Small.DecompressNanoseconds, outcome.ReadyAt);
        world.AssertLoads(Pages.Text(0), 1, slots[0]);
        Assert.Equal((1UL, 1UL), (counts.PoolHits, counts.ReadOperations));
        foreach (SwapSlot slot in slots)
            world.Space.Free(1, slot);
        Assert.Equal((0UL, 0UL, 256u), (counts.PooledBytes, counts.SlotsUsed, world.Space.SlotsFree));
    }

    [Fact]
    public void Pool_PageThatDoesNotShrink_GoesToTheDevice()
    {
        using var world = new SwapWorld(_device, new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!), SwapWorld.Small with { CompressedPoolBytes = 1 << 20 });
        SwapSlot slot = world.Store(1, Pages.Noise(7));
        world.Drain();
        Assert.Equal((1UL, 0UL), (world.Space.CountsOf(1).PagesIncompressible, world.Space.CountsOf(1).PooledPages));
        Assert.Single(_device.Writes);
        world.AssertLoads(Pages.Noise(7), 1, slot);
    }

    [Fact]
    public void Store_NoSlotFree_SaysFullAndTakesNothing()
    {
        using var world = new SwapWorld(new MemorySwapDevice(4));
        SwapSlot[] slots = [.. Enumerable.Range(0, 4).Select(i => world.Store(1, Pages.Noise(i)))];
        Assert.Equal(SwapStatus.DeviceFull, world.Space.Store(2, Pages.Noise(9), world.Now, out SwapSlot none).Status);
        Assert.Equal(default, none);
        Assert.Equal(0UL, world.Space.CountsOf(2).PagesOut);

        // Zeros find room always.
        Assert.True(world.Store(2, new byte[Page]).IsZeroPage);
        world.Drain();
        world.Space.Free(1, slots[2]);
        Assert.Equal(2u, world.Store(2, Pages.Noise(9)).Number);
    }

    [Fact]
    public void Store_SlotsFreedWhileWritten_WaitsForTheirWrites()
    {
        using var world = new SwapWorld(new MemorySwapDevice(4));
        SwapSlot[] slots = [.. Enumerable.Range(0, 4).Select(i => world.Store(1, Pages.Noise(i)))];
        foreach (SwapSlot slot in slots)
            world.Space.Free(1, slot);
        Assert.Equal(0u, world.Space.SlotsFree);
        SwapOutcome outcome = world.Space.Store(2, Pages.Noise(9), world.Now, out SwapSlot later);
        Assert.Equal(SwapStatus.Done, outcome.Status);
        Assert.True(outcome.ReadyAt > world.Now);
        world.AssertLoads(Pages.Noise(9), 2, later);
    }

    [Fact]
    public void Store_AllClustersUnderWay_WaitsForTheFirstToBeComplete()
    {
        using var world = new SwapWorld(_device);
        ulong ready = 0;
        for (int i = 0; i < 16; i++)
            ready = Math.Max(ready, world.Space.Store(1, Pages.Noise(i), 0, out _).ReadyAt);
        Assert.Equal(0UL, ready);
        Assert.Equal(15_500UL + 4965, world.Space.Store(1, Pages.Noise(99), 0, out _).ReadyAt);
    }

    [Fact]
    public void Slot_FreedAndGivenToAnother_IsRefusedToTheFirst()
    {
        using var world = new SwapWorld(new MemorySwapDevice(1));
        SwapSlot old = world.Store(1, Pages.Noise(1));
        world.Drain();
        world.Space.Free(1, old);
        Assert.Throws<InvalidOperationException>(() => world.Load(1, old));
        SwapSlot other = world.Store(2, Pages.Noise(2));
        Assert.Equal(old.Number, other.Number);
        Assert.Throws<InvalidOperationException>(() => world.Load(1, other));
        Assert.Throws<InvalidOperationException>(() => world.Load(2, old));
        Assert.Throws<InvalidOperationException>(() => world.Space.Free(1, old));
        Assert.Throws<InvalidOperationException>(() => world.Load(2, default));
        world.AssertLoads(Pages.Noise(2), 2, other);
    }

    [Fact]
    public void FreeAll_OwnerWithPagesEverywhere_LeavesNothingOfItsAndAllOfOthers()
    {
        using var world = new SwapWorld(_device, new SwapDeviceModel(SwapDeviceTimes.Find("ssd")!), SwapWorld.Small with { CompressedPoolBytes = 4096 });
        for (int i = 0; i < 40; i++)
            world.Store(1, i % 3 == 0 ? Pages.Noise(i) : i % 3 == 1 ? Pages.Text(i) : new byte[Page]);
        SwapSlot kept = world.Store(2, Pages.Noise(500));
        world.Space.FreeAll(1);
        world.Drain();
        Assert.Equal((0UL, 0UL, 0UL), (world.Space.CountsOf(1).SlotsUsed, world.Space.CountsOf(1).ZeroPages, world.Space.CountsOf(1).PooledBytes));
        Assert.Equal(255u, world.Space.SlotsFree);
        world.AssertLoads(Pages.Noise(500), 2, kept);
    }

    [Fact]
    public void Inspect_PagesInEveryPlace_GivesTheirBytesAndLeavesNoTrace()
    {
        using var world = new SwapWorld(_device, new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!), SwapWorld.Small with { CompressedPoolBytes = 4096 });
        SwapSlot onDevice = world.Store(1, Pages.Noise(1));
        world.Drain();
        SwapSlot pooled = world.Store(1, Pages.Text(2));
        SwapSlot gathered = world.Store(1, Pages.Noise(3));
        SwapSlot zeros = world.Store(1, new byte[Page]);
        byte[] page = new byte[Page];
        foreach ((SwapSlot slot, byte[] expected) in new[] { (onDevice, Pages.Noise(1)), (pooled, Pages.Text(2)), (gathered, Pages.Noise(3)), (zeros, new byte[Page]) })
        {
            Assert.Equal(SwapStatus.Done, world.Space.Inspect(1, slot, page));
            Assert.Equal(expected, page);
        }

        SwapCounts counts = world.Space.CountsOf(1);
        Assert.Equal((0UL, 0UL, 0UL, 0UL), (counts.PagesIn, counts.ReadOperations, counts.PoolHits, counts.WriteBufferHits));
    }

    [Fact]
    public void Generations_RunOut_BeginAtOneAgain()
    {
        using var world = new SwapWorld(new MemorySwapDevice(1), new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!), SwapWorld.Small);
        byte[] page = Pages.Noise(1);
        SwapSlot slot = default;
        for (int i = 0; i < SwapSlot.LastGeneration; i++)
        {
            Assert.True(world.Space.Store(1, page, world.Now, out slot).IsDone);
            world.Space.Free(1, slot);
        }

        Assert.Equal(SwapSlot.LastGeneration, slot.Generation);
        Assert.Equal(new SwapSlot(0, 1), world.Store(1, page));
    }

    [Fact]
    public void Packed_AnySlot_UnpacksToItselfAndIsBelow52Bits()
    {
        foreach (SwapSlot slot in new[] { SwapSlot.ZeroPage, new SwapSlot(0, 1), new SwapSlot(int.MaxValue, SwapSlot.LastGeneration) })
        {
            Assert.Equal(slot, SwapSlot.Unpack(slot.Packed));
            Assert.True(slot.Packed < 1UL << 52);
        }
    }

    [Theory]
    [InlineData(4095)]
    [InlineData(4097)]
    [InlineData(0)]
    public void Store_BytesThatAreNoPage_AreRefused(int bytes)
    {
        using var world = new SwapWorld(_device);
        Assert.Throws<ArgumentException>(() => world.Space.Store(1, new byte[bytes], 0, out _));
        Assert.Throws<ArgumentException>(() => world.Space.Load(1, SwapSlot.ZeroPage, 0, new byte[bytes]));
    }

    [Fact]
    public void Options_OutOfRange_AreRefused()
    {
        SwapSpaceOptions good = SwapSpaceOptions.Standard;
        SwapSpaceOptions[] bad =
        [
            good with { ClusterPages = 0 }, good with { ClusterPages = 65 }, good with { ClustersUnderWay = 0 }, good with { ReadAheadPages = 0 },
            good with { ReadAheadPages = 6 }, good with { ReadAheadPages = 128 }, good with { ReadAheadCachePages = 7 }, good with { HeldPages = 0 },
        ];
        var timing = new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!);
        foreach (SwapSpaceOptions options in bad)
            Assert.Throws<ArgumentOutOfRangeException>(() => new SwapSpace(_device, timing, options));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SwapSpace(new MemorySwapDevice(0), timing, good));
    }

    [Fact]
    public void PageStore_OfAMachine_WaitsForLoadsAndTellsWhatIsBroken()
    {
        var torn = new TornSwapDevice(_device, number => number == 1 ? PageDamage.FlippedBit : PageDamage.None);
        using var world = new SwapWorld(torn);
        var store = new SwapPageStore(world.Space, 3) { Now = 500 };
        Assert.True(store.TryStore(Pages.Noise(1), out ulong good));
        Assert.True(store.TryStore(Pages.Noise(2), out ulong bad));
        Assert.True(good < 1UL << 52);
        store.Now = world.Space.Flush(500);
        byte[] page = new byte[Page];
        Assert.Equal(PageLoad.Done, store.Load(good, page));
        Assert.Equal(Pages.Noise(1), page);
        Assert.Equal(store.Now, store.ReadyAt);
        Assert.Equal(PageLoad.Corrupt, store.Load(bad, page));
        Assert.Equal(SwapStatus.ChecksumMismatch, store.LastFailure);
        store.Free(good);
        store.Free(bad);
        Assert.Equal(0UL, store.Counts.SlotsUsed);
    }
}
