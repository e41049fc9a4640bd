using System.Diagnostics;
using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

public sealed class HostFrameAllocatorTests
{
    private const ushort First = 1;
    private const ushort Second = 2;

    [Fact]
    public void TryTake_FreshFrames_AscendsFromTheSecondFrame()
    {
        using var host = new HostMemory(4 << 20);
        HostFrameAllocator frames = Make(host);

        Assert.Equal([0x1000UL, 0x2000UL, 0x3000UL], Enumerable.Range(0, 3).Select(_ => Take(frames, PageSize.Size4K)));
        Assert.Equal((3UL, 3UL), (frames.FramesUsed, frames.MostFramesUsed));
    }

    [Fact]
    public void TryTake_EveryFrame_GivesEachOnceAndThenRefuses()
    {
        using var host = new HostMemory(8 << 20);
        HostFrameAllocator frames = Make(host);
        _ = Take(frames, PageSize.Size4K);
        HashSet<ulong> taken = [];
        ulong run = Take(frames, PageSize.Size2M);
        while (frames.TryTake(First, PageSize.Size4K, out HostPhysicalAddress start))
            Assert.True(taken.Add(start.Value) && (start.Value < run || start.Value >= run + (2 << 20)));

        Assert.Equal(0UL, frames.FramesFree);
        Assert.Equal((int)frames.FramesTotal - 512 - 1, taken.Count);
    }

    [Fact]
    public void TryTake_ReturnedFrame_IsZeroForTheNextOwner()
    {
        using var host = new HostMemory(1 << 20);
        HostFrameAllocator frames = Make(host);
        var start = new HostPhysicalAddress(Take(frames, PageSize.Size4K));
        host.Write(start, 0x5EC2E7UL);
        frames.Return(First, PageSize.Size4K, start);
        Assert.Equal(HostFrameAllocator.Nobody, frames.OwnerOf(start.Frame));

        Assert.True(frames.TryTake(Second, PageSize.Size4K, out HostPhysicalAddress again));

        Assert.Equal(start, again);
        Assert.Equal(0UL, host.Read<ulong>(start));
        Assert.Equal(Second, frames.OwnerOf(start.Frame));
    }

    [Fact]
    public void Return_LastFrameOfARun_MakesTheRunWholeAgain()
    {
        using var host = new HostMemory(4 << 20);
        HostFrameAllocator frames = Make(host);
        var run = new HostPhysicalAddress(Take(frames, PageSize.Size2M));
        for (ulong i = 0; i < 511; i++)
            frames.Return(First, PageSize.Size4K, new HostPhysicalAddress(run.Value + ((i * 7 % 512) << 12)));
        Assert.False(frames.TryTake(First, PageSize.Size2M, out _));

        frames.Return(First, PageSize.Size4K, new HostPhysicalAddress(run.Value + ((511UL * 7 % 512) << 12)));

        Assert.True(frames.TryTake(First, PageSize.Size2M, out HostPhysicalAddress again));
        Assert.Equal(run, again);
    }

    [Fact]
    public void Return_FrameOfAnother_IsRefused()
    {
        using var host = new HostMemory(1 << 20);
        HostFrameAllocator frames = Make(host);
        var start = new HostPhysicalAddress(Take(frames, PageSize.Size4K));

        Assert.Throws<UnreachableException>(() => frames.Return(Second, PageSize.Size4K, start));
        frames.Return(First, PageSize.Size4K, start);
        Assert.Throws<UnreachableException>(() => frames.Return(First, PageSize.Size4K, start));
    }

    private static HostFrameAllocator Make(HostMemory host) => new(host, new ZeroingScrubber(), new FrameAudit(host));

    private static ulong Take(HostFrameAllocator frames, PageSize size)
    {
        Assert.True(frames.TryTake(First, size, out HostPhysicalAddress start));
        return start.Value;
    }
}
