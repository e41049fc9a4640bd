using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

/// <summary>Asking for the accessed flags of frames beside each other is asking for each of them.</summary>
public sealed class GroupedAccessTests
{
    private const ulong Frames = 1024;
    private const int Group = 64;

    [Theory]
    [InlineData(PageSize.Size4K, NestedFormat.Ept)]
    [InlineData(PageSize.Size2M, NestedFormat.Ept)]
    [InlineData(PageSize.Size2M, NestedFormat.Npt)]
    public void TestAndClearAccessed_OfAGroup_IsThatOfEachFrame(PageSize largest, NestedFormat format)
    {
        for (int seed = 0; seed < TestTiers.Pick(20, 60, 2000); seed++)
        {
            Random random = TestSeed.Case(70_000 + seed);
            using var world = new MemoryWorld(32 << 20, new ZeroingScrubber());
            GuestMemoryManager grouped = world.Add(Frames << 12, largest, format, null).Memory;
            GuestMemoryManager single = world.Add(Frames << 12, largest, format, null).Memory;
            for (ulong frame = (ulong)random.Next(400); frame < Frames; frame += (ulong)random.Next(1, 3))
            {
                grouped.Populate(new GuestFrameNumber(frame).Address);
                single.Populate(new GuestFrameNumber(frame).Address);
            }

            int used = 0;
            for (int step = 0; step < 30; step++)
            {
                Change(world, [grouped, single], format == NestedFormat.Ept ? EptEntry.Accessed : PagingEntry.Accessed, random);
                ulong first = (ulong)random.Next((int)Frames / Group) * Group;
                ulong asked = random.Next(4) == 0 ? ulong.MaxValue : (ulong)random.NextInt64(long.MinValue, long.MaxValue);

                ulong expected = 0;
                for (int place = 0; place < Group; place++)
                {
                    if ((asked >> place & 1) != 0 && single.TestAndClearAccessed(new GuestFrameNumber(first + (ulong)place)))
                        expected |= 1UL << place;
                }

                Assert.Equal(expected, grouped.TestAndClearAccessed(new GuestFrameNumber(first), asked));
                used += expected == 0 ? 0 : 1;
                Assert.Equal(single.Counts.AccessedFlagsCleared, grouped.Counts.AccessedFlagsCleared);
                Assert.Equal(single.Counts.Splits, grouped.Counts.Splits);
                single.Settle();
                grouped.Settle();
                Assert.Equal(single.Counts.Invalidations, grouped.Counts.Invalidations);
                for (ulong frame = 0; frame < Frames; frame++)
                    Assert.Equal(single.WasAccessed(new GuestFrameNumber(frame)), grouped.WasAccessed(new GuestFrameNumber(frame)));
            }

            Assert.True(used > 0, "no flag was set");
            world.Check();
        }
    }

    [Fact]
    public void TestAndClearAccessed_OfAGroupInALargePageThatCannotBeSplit_IsTrueForEachAndClearsNothing()
    {
        using var world = new MemoryWorld(8 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(Frames << 12, PageSize.Size2M, NestedFormat.Ept, null).Memory;
        memory.Populate(default);
        Assert.Equal(512UL, memory.ResidentFrames);
        Use(world, memory, EptEntry.Accessed, default);
        GuestMemoryManager other = world.Add(16 << 20, PageSize.Size4K, NestedFormat.Ept, null).Memory;
        for (ulong frame = 0; other.Populate(new GuestFrameNumber(frame).Address) == PopulateResult.Mapped; frame++)
        {
        }

        const ulong Asked = 0x8000_0000_0000_0421;
        Assert.Equal(Asked, memory.TestAndClearAccessed(new GuestFrameNumber(64), Asked));
        Assert.True(memory.TestAndClearAccessed(new GuestFrameNumber(64)));
        Assert.True(memory.WasAccessed(new GuestFrameNumber(64)));
        Assert.Equal((0UL, 0UL), (memory.Counts.AccessedFlagsCleared, memory.Counts.Splits));
    }

    // The same for both: some frames are touched, some evicted, some used by the processor.
    private static void Change(MemoryWorld world, GuestMemoryManager[] memories, ulong accessed, Random random)
    {
        for (int i = random.Next(40); i > 0; i--)
        {
            var frame = new GuestFrameNumber((ulong)random.Next((int)Frames));
            int what = random.Next(8);
            foreach (GuestMemoryManager memory in memories)
            {
                if (what == 0)
                    memory.Write(frame.Address, BitConverter.GetBytes(i));
                else if (what == 1)
                    memory.Evict([frame]);
                else
                    Use(world, memory, accessed, frame);
            }
        }
    }

    // As the processor does at a walk.
    private static void Use(MemoryWorld world, GuestMemoryManager memory, ulong accessed, GuestFrameNumber frame)
    {
        var table = new HostPhysicalAddress(memory.Root & EptEntry.AddressMask);
        for (int level = 4; level >= 1; level--)
        {
            var at = new HostPhysicalAddress(table.Value + ((frame.Address.Value >> (12 + (9 * (level - 1))) & 0x1FF) * sizeof(ulong)));
            ulong entry = world.Host.Memory.Read<ulong>(at);
            if ((entry & 1) == 0)
                return;
            world.Host.Memory.Write(at, entry | accessed);
            if (level > 1 && (entry & EptEntry.PageSizeBit) != 0)
                return;
            table = new HostPhysicalAddress(entry & EptEntry.AddressMask);
        }
    }
}
