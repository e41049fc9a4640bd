using Mmu86.Loaders;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

public sealed class GuestFrameAllocatorTests
{
    [Fact]
    public void TryTakeRun_AcrossTheHole_StopsAtItAndGoesOnAbove()
    {
        var frames = new GuestFrameAllocator(new GuestPhysicalAddress(0xBFFF_E000), new GuestPhysicalAddress(0x1_0000_3000));
        Assert.Equal(5UL, frames.FreeFrames);
        Assert.True(frames.TryTakeRun(100, out FrameRun below));
        Assert.Equal(new FrameRun(new GuestFrameNumber(0xB_FFFE), 2, UsedBefore: false), below);
        Assert.True(frames.TryTakeRun(2, out FrameRun above));
        Assert.Equal(new FrameRun(new GuestFrameNumber(0x10_0000), 2, UsedBefore: false), above);
        Assert.True(frames.TryTake(out FrameRun last));
        Assert.Equal(0x10_0002UL, last.Start.Value);
        Assert.False(frames.TryTake(out _));
        Assert.Equal(0UL, frames.FreeFrames);
    }

    [Fact]
    public void TryTakePage_LargeSizes_AreAlignedAndInsideRam()
    {
        var frames = new GuestFrameAllocator(new GuestPhysicalAddress(1 << 20), new GuestPhysicalAddress(5UL << 30));
        Assert.True(frames.TryTakePage(PageSize.Size2M, out FrameRun first));
        Assert.Equal(2UL << 20, first.Start.Address.Value);
        var gibibytes = new List<ulong>();
        while (frames.TryTakePage(PageSize.Size1G, out FrameRun run))
            gibibytes.Add(run.Start.Address.Value >> 30);
        Assert.Equal([1UL, 2UL, 4UL], gibibytes);
        Assert.True(frames.TryTake(out FrameRun small));
        Assert.Equal(1UL << 20, small.Start.Address.Value);
    }

    [Fact]
    public void Release_ThenTake_GivesTheLowestFramesMarkedAsUsed()
    {
        var frames = new GuestFrameAllocator(new GuestPhysicalAddress(0), new GuestPhysicalAddress(1 << 20));
        Assert.True(frames.TryTakeRun(20, out _));
        frames.Release(new GuestFrameNumber(5), 3);
        frames.PutBack(new GuestFrameNumber(10), 2);
        Assert.True(frames.TryTakeRun(8, out FrameRun used));
        Assert.Equal(new FrameRun(new GuestFrameNumber(5), 3, UsedBefore: true), used);
        Assert.True(frames.TryTakeRun(8, out FrameRun fresh));
        Assert.Equal(new FrameRun(new GuestFrameNumber(10), 2, UsedBefore: false), fresh);
    }

    [Fact]
    public void TryTakePage_HalfUsedBefore_IsMarkedAsUsed()
    {
        var frames = new GuestFrameAllocator(new GuestPhysicalAddress(0), new GuestPhysicalAddress(4 << 20));
        Assert.True(frames.TryTakeRun(513, out _));
        frames.Release(new GuestFrameNumber(512), 1);
        Assert.True(frames.TryTakePage(PageSize.Size2M, out FrameRun run));
        Assert.Equal((512UL, true), (run.Start.Value, run.UsedBefore));
    }

    [Fact]
    public void TakeAndRelease_AtRandom_AgreeWithASetOfFrames()
    {
        const int Frames = 2048 + 37;
        const int Seed = 11;
        var random = new Random(Seed);
        var frames = new GuestFrameAllocator(new GuestPhysicalAddress(0x3000), new GuestPhysicalAddress((3 + Frames) << 12));
        var free = new SortedSet<ulong>(Enumerable.Range(3, Frames).Select(frame => (ulong)frame));
        var taken = new List<FrameRun>();
        for (int step = 0; step < 4000; step++)
        {
            if (random.Next(5) < 3)
            {
                PageSize size = random.Next(4) == 0 ? PageSize.Size2M : PageSize.Size4K;
                ulong limit = size == PageSize.Size2M ? 512 : (ulong)random.Next(1, 100);
                bool taking = size == PageSize.Size2M ? frames.TryTakePage(size, out FrameRun run) : frames.TryTakeRun(limit, out run);
                Assert.Equal(size == PageSize.Size2M ? HasAlignedRun(free) : free.Count != 0, taking);
                if (!taking)
                    continue;
                Assert.InRange(run.Count, 1UL, limit);
                if (size == PageSize.Size4K)
                    Assert.Equal(free.Min, run.Start.Value);
                for (ulong i = 0; i < run.Count; i++)
                    Assert.True(free.Remove(run.Start.Value + i));
                taken.Add(run);
            }
            else if (taken.Count != 0)
            {
                int index = random.Next(taken.Count);
                FrameRun run = taken[index];
                taken.RemoveAt(index);
                frames.Release(run.Start, run.Count);
                for (ulong i = 0; i < run.Count; i++)
                    Assert.True(free.Add(run.Start.Value + i));
            }

            Assert.Equal((ulong)free.Count, frames.FreeFrames);
        }
    }

    private static bool HasAlignedRun(SortedSet<ulong> free)
    {
        for (ulong start = 512; start + 512 <= 2088; start += 512)
        {
            if (free.GetViewBetween(start, start + 511).Count == 512)
                return true;
        }

        return false;
    }
}
