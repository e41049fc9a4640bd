using Mmu86.Hypervisor.Snapshots;
using Mmu86.Hypervisor.Swap;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.TestKit.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Swap;

/// <summary>A swap space that is saved, and read back over another device: pages, times and counts are those of the one that was never cut.</summary>
public sealed class SwapSnapshotTests
{
    private const int Slots = 256;
    private const int Owners = 3;

    // A part of the device that takes no write: pages meant for it are held in memory.
    private const ulong BadFrom = 40 * SwapSlot.SizeInBytes, BadEnd = 44 * SwapSlot.SizeInBytes;

    [Theory]
    [InlineData(0, "nvme")]
    [InlineData(24 * 1024, "ssd")]
    [InlineData(0, "hdd")]
    public void Space_SavedAtRandomMoments_GoesOnAsIfNothingHadBeen(int poolBytes, string device)
    {
        var seen = new HashSet<string>();
        for (int seed = 0; seed < TestTiers.Pick(3, 6, 1000); seed++)
        {
            List<string> straight = Run(seed, poolBytes, device, cuts: null, seen);
            Assert.Equal(straight, Run(seed, poolBytes, device, TestSeed.Case(seed + 50_000), seen));
        }

        Assert.Superset(new HashSet<string>(poolBytes == 0 ? ["writing", "held", "device", "ahead"] : ["pooled", "device"]), seen);
    }

    [Fact]
    public void Space_OfAnotherSize_RefusesIt()
    {
        using var world = new SwapWorld(new MemorySwapDevice(Slots));
        (StateSection saved, _) = Save(world.Space);
        using var other = new SwapWorld(new MemorySwapDevice(Slots + 1));
        StateFormatException refused = Assert.Throws<StateFormatException>(() => Load(other.Space, saved));
        Assert.Equal("section 'swap', field 'deviceSlots': is 256, and the device has 257", refused.Message);
    }

    [Fact]
    public void Space_WithoutItsPages_KnowsThatTheyAreMissing()
    {
        using var world = new SwapWorld(new MemorySwapDevice(Slots));
        _ = world.Store(1, Pages.Noise(1));
        world.Drain();
        (StateSection saved, byte[] pages) = Save(world.Space);
        using var other = new SwapWorld(new MemorySwapDevice(Slots));
        Load(other.Space, saved);
        Assert.False(other.Space.HasAllPages);
        LoadPages(other.Space, pages);
        Assert.True(other.Space.HasAllPages);
        Assert.False(other.Space.TryLoadPage(0, Pages.Noise(1)));
    }

    [Fact]
    public void Pool_LargerThanASection_IsInSeveralAndComesBackInItsOrder()
    {
        const int Count = 1500;
        using SwapWorld world = Create(), other = Create();
        List<SwapSlot> slots = [];
        for (int i = 0; i < Count; i++)
        {
            Assert.True(world.Space.Store(1, Compressible(i, 1500), world.Now, out SwapSlot slot).IsDone);
            slots.Add(slot);
        }

        Assert.Equal((ulong)Count, world.Space.SumCounts().PooledPages);
        (StateSection saved, byte[] pages) = Save(world.Space);
        Assert.True(saved.Bytes.Length < 1 << 18, $"{saved.Bytes.Length} bytes");
        StateSection[] pool = [.. Sections(pages)];
        Assert.Equal(["swap-pool", "swap-pool", "swap-pool"], pool.Select(section => section.Name));
        Assert.All(pool, section => Assert.InRange(section.Bytes.Length, 1000, 1 << 20));

        Load(other.Space, saved);
        Assert.False(other.Space.HasAllPooledPages);
        LoadPages(other.Space, pages);
        Assert.Equal("section 'swap-pool', field 'pooledSlot': is ", Assert.Throws<StateFormatException>(() => LoadPages(other.Space, pages)).Message[..44]);
        other.Now = world.Now;
        for (int i = 0; i < Count; i++)
            Assert.Equal(Compressible(i, 1500), other.Load(1, slots[i]).Page);

        static SwapWorld Create() => new(new MemorySwapDevice(Count + 64), new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!), SwapWorld.Small with { CompressedPoolBytes = 8 << 20 });
    }

    private static List<string> Run(int seed, int poolBytes, string device, Random? cuts, HashSet<string> seen)
    {
        Random random = TestSeed.Case(seed);
        SwapSpaceOptions options = SwapWorld.Small with { CompressedPoolBytes = (ulong)poolBytes };
        SwapWorld world = Create();
        List<(int Owner, SwapSlot Slot)> stored = [];
        List<string> log = [];
        for (int step = 0; step < 1500; step++)
        {
            if (cuts?.Next(60) == 0)
            {
                (StateSection saved, byte[] pages) = Save(world.Space);
                SwapWorld other = Create();
                other.Now = world.Now;
                Load(other.Space, saved);
                LoadPages(other.Space, pages);
                world.Dispose();
                world = other;
            }

            int owner = random.Next(Owners);
            world.Now += (ulong)random.Next(20_000);
            switch (random.Next(10))
            {
                case < 4:
                    byte[] page = random.Next(5) == 0 ? new byte[SwapSlot.SizeInBytes] : random.Next(2) == 0 ? Pages.Noise(step) : Compressible(step);
                    SwapOutcome outcome = world.Space.Store(owner, page, world.Now, out SwapSlot slot);
                    log.Add($"store {outcome} {slot}");
                    if (outcome.IsDone)
                        stored.Add((owner, slot));
                    break;
                case < 7 when stored.Count != 0:
                    (int Owner, SwapSlot Slot) one = stored[random.Next(stored.Count)];
                    (SwapOutcome loaded, byte[] bytes) = world.Load(one.Owner, one.Slot);
                    log.Add($"load {one.Slot} {loaded} {System.IO.Hashing.XxHash3.HashToUInt64(bytes):x}");
                    break;
                case < 8 when stored.Count != 0:
                    int freed = random.Next(stored.Count);
                    world.Space.Free(stored[freed].Owner, stored[freed].Slot);
                    stored.RemoveAt(freed);
                    break;
                case 8:
                    log.Add($"flush {world.Space.Flush(world.Now)}");
                    break;
            }

            SwapCounts counts = world.Space.SumCounts();
            log.Add($"{world.Space.SlotsFree} {world.Space.MemoryBytes} {counts.BytesWritten} {counts.WriteFailures} {counts.BytesRead} {counts.PagesReadAhead} {counts.ReadAheadHits} {counts.PoolHits}");
            Note(counts, seen);
        }

        world.Dispose();
        return log;

        SwapWorld Create() => new(new BadSpotDevice(new MemorySwapDevice(Slots)), new SwapDeviceModel(SwapDeviceTimes.Find(device)!), options);
    }

    private static void Note(SwapCounts counts, HashSet<string> seen)
    {
        if (counts.HeldPages > 0)
            seen.Add("held");
        if (counts.PooledPages > 0)
            seen.Add("pooled");
        if (counts.WriteBufferHits > 0)
            seen.Add("writing");
        if (counts.BytesRead > 0)
            seen.Add("device");
        if (counts.ReadAheadHits > 0)
            seen.Add("ahead");
    }

    private static byte[] Compressible(int seed, int noise = 500)
    {
        byte[] page = new byte[SwapSlot.SizeInBytes];
        Pages.Noise(seed).AsSpan(0, noise).CopyTo(page);
        return page;
    }

    private static (StateSection State, byte[] Pages) Save(SwapSpace space)
    {
        var state = new StateWriter(ForgottenHostAddresses.All);
        state.Begin("swap");
        space.Save(state);
        state.End();
        var stream = new MemoryStream();
        var writer = new SnapshotWriter(stream);
        space.SavePages(new PageSectionWriter(writer));
        PoolSection.Write(writer, space);
        writer.Complete();
        return (state.Sections[0], stream.ToArray());
    }

    private static void Load(SwapSpace space, StateSection saved)
    {
        var reader = new StateReader([saved], ForgottenHostAddresses.All);
        reader.Open("swap");
        space.Load(reader);
        reader.Close();
    }

    private static List<StateSection> Sections(byte[] pages)
    {
        var reader = new SnapshotReader(new MemoryStream(pages));
        List<StateSection> sections = [];
        while (reader.TryRead(out StateSection section))
            sections.Add(section);
        return sections;
    }

    private static void LoadPages(SwapSpace space, byte[] pages)
    {
        var reader = new SnapshotReader(new MemoryStream(pages));
        while (reader.TryRead(out StateSection section))
        {
            if (PoolSection.Is(section))
                PoolSection.Load(section, space);
            else
                PageSection.Load(section, space.TryLoadPage);
        }

        Assert.True(space.HasAllPages && space.HasAllPooledPages);
    }

    private sealed class BadSpotDevice(ISwapDevice inner) : ISwapDevice
    {
        private readonly HashSet<long> _failed = [];
        private long _tickets = long.MinValue;

        public ulong SizeInBytes => inner.SizeInBytes;

        public SwapStatus Read(ulong offset, Span<byte> destination) => inner.Read(offset, destination);

        public long BeginWrite(ulong offset, ReadOnlyMemory<byte> source)
        {
            if (offset >= BadEnd || offset + (ulong)source.Length <= BadFrom)
                return inner.BeginWrite(offset, source);
            _failed.Add(++_tickets);
            return _tickets;
        }

        public SwapStatus FinishWrite(long ticket) => _failed.Remove(ticket) ? SwapStatus.WriteFailed : inner.FinishWrite(ticket);

        public void Dispose() => inner.Dispose();
    }
}
