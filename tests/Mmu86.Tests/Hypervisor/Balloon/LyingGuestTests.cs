using Mmu86.Devices;
using Mmu86.Hypervisor;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>What a guest says to its balloon may be anything. It harms itself: every frame stays accounted for, and the machine beside it has its bytes.</summary>
public sealed class LyingGuestTests
{
    private const ulong Lists = 0x10_0000;

    [Theory]
    [InlineData(BalloonWorld.Inflate)]
    [InlineData(BalloonWorld.Deflate)]
    public void Frames_OutsideItsMemory_AreCountedAndNothingElse(int queue)
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        ulong free = world.FramesFree;

        world.Send(queue, BalloonWorld.MemoryFrames, 0xC_0000, 0xF_EC00, 0x10_0000, uint.MaxValue);

        Assert.Equal((5UL, 0UL), (world.Control.Counts.OutsideMemory, world.Memory.BalloonedFrames));
        Assert.Equal(free, world.FramesFree);
        Assert.Equal(1, world.Driver.UsedIndex(queue));
        world.Check();
    }

    [Fact]
    public void Inflate_SameFrameTwice_CountsOnce()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Fill(0x200, 1);

        world.Send(BalloonWorld.Inflate, 0x200, 0x200);
        world.Send(BalloonWorld.Inflate, 0x200);

        Assert.Equal((1UL, 2UL), (world.Memory.BalloonedFrames, world.Control.Counts.InflatedTwice));
        world.Check();
    }

    [Fact]
    public void Deflate_WhatIsNotInTheBalloon_KeepsItsBytes()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size2M).Start();
        world.Fill(0x200, 3);
        world.Memory.Evict([new GuestFrameNumber(0x201)]);

        world.Send(BalloonWorld.Deflate, 0x200, 0x201, 0x3FF);

        Assert.Equal(3UL, world.Control.Counts.DeflatedUnknown);
        Assert.Equal((0xABCD_0000_0200UL, 0xABCD_0000_0201UL), (world.ReadWord(0x200), world.ReadWord(0x201)));
        world.Check();
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void Inflate_AllItHas_RingsAndListIncluded_EndsInADeviceThatNeedsReset(PageSize largest)
    {
        using BalloonWorld world = new BalloonWorld(largest).Start();
        world.Fill(0x100, 0x300);

        world.Send(BalloonWorld.Inflate, [.. Enumerable.Range(0, (int)BalloonWorld.MemoryFrames).Select(frame => (uint)frame)]);

        // The used ring was written behind it, into a fresh frame; the ring from which the guest offers is gone.
        Assert.Equal((BalloonWorld.MemoryFrames - 1UL, 1UL), (world.Memory.BalloonedFrames, world.Memory.Counts.BalloonedTouched));
        world.Check();
        world.TryServe(BalloonWorld.Inflate);
        Assert.Equal(0x40, world.Driver.Status & 0x40);
        Assert.False(world.Control.IsDriven);
        world.Check();
        world.Start();
        world.Send(BalloonWorld.Deflate, 0x200);
        Assert.Equal(GuestFrameState.Unpopulated, world.State(0x200));
        world.Check();
    }

    [Fact]
    public void Inflate_MoreNumbersThanABufferMayHave_IsRefusedAsAWhole()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();

        world.Driver.Offer(BalloonWorld.Inflate, (0x20_0000, (4 * BalloonDevice.MostFrames) + 4, false));
        world.Driver.Offer(BalloonWorld.Inflate, (0, uint.MaxValue, false), (0, uint.MaxValue, false));
        world.NotifyAndServe(BalloonWorld.Inflate);

        Assert.Equal((0UL, 2UL), (world.Memory.BalloonedFrames, world.Control.Counts.BuffersRefused));
        Assert.Equal(2, world.Driver.UsedIndex(BalloonWorld.Inflate));
        world.Check();
    }

    [Fact]
    public void Buffers_OutsideMemory_AreRefused()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();

        foreach (ulong address in new[] { 0x3F_FFFEUL, 0x40_0000UL, 0xFEE0_0000UL, 0x1_0000_0000UL, ulong.MaxValue - 2 })
        {
            world.Driver.Offer(BalloonWorld.Inflate, (address, 4, false));
            world.Driver.Offer(BalloonWorld.Statistics, (address, 4, false));
        }

        world.NotifyAndServe(BalloonWorld.Inflate);
        world.NotifyAndServe(BalloonWorld.Statistics);

        Assert.Equal((0UL, 10UL), (world.Memory.BalloonedFrames, world.Control.Counts.BuffersRefused));
        Assert.Equal((5, 4), (world.Driver.UsedIndex(BalloonWorld.Inflate), world.Driver.UsedIndex(BalloonWorld.Statistics)));
        Assert.Equal(0, world.Driver.Status & 0x40);
        world.Check();
    }

    [Fact]
    public void Reports_ThatAreNotAllMemory_AreRefused()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Fill(0x200, 0x200);
        ulong resident = world.Memory.ResidentFrames;

        world.Driver.Offer(3, (0x3F_F000, 0x2000, true), (0xC000_0000, 0x1000, true), (ulong.MaxValue - 0xFFF, 0x2000, true));
        world.Driver.Offer(3, (0x20_0000, uint.MaxValue, true));
        world.NotifyAndServe(3);

        Assert.Equal((resident, 0UL), (world.Memory.ResidentFrames, world.Memory.Counts.ReportedFree));
        Assert.Equal((3UL, 1UL), (world.Control.Counts.ReportsRefused, world.Control.Counts.BuffersRefused));
        world.Check();
    }

    [Fact]
    public void Reports_WithoutTheFeature_AreRefused()
    {
        using var world = new BalloonWorld(PageSize.Size4K);
        world.Driver.Begin(0);
        for (int queue = 0; queue < 5; queue++)
            world.Driver.Place(queue, 0x10 + ((uint)queue * 4));
        world.Driver.Ready();
        world.Fill(0x200, 1);

        foreach (int queue in new[] { 2, 3, 4 })
        {
            world.Driver.Offer(queue, (0x20_0000, 0x1000, true));
            world.NotifyAndServe(queue);
        }

        Assert.Equal((3UL, GuestFrameState.Resident), (world.Control.Counts.BuffersRefused, world.State(0x200)));
    }

    [Fact]
    public void Inflate_HostHasNoFrameForTables_LeavesTheFramesAlone()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size2M).Start();
        world.Fill(0x200, 1);
        world.Bytes.TryWrite((ulong)BalloonWorld.ListFrame << 12, BitConverter.GetBytes(0x200));
        world.Driver.Offer(BalloonWorld.Inflate, ((ulong)BalloonWorld.ListFrame << 12, 4, false));
        using (world.TakeAllFree())
            world.NotifyAndServe(BalloonWorld.Inflate);

        Assert.Equal((1UL, 0UL), (world.Control.Counts.WithoutTable, world.Memory.BalloonedFrames));
        Assert.Equal(0xABCD_0000_0200UL, world.ReadWord(0x200));
        world.Check();
    }

    [Fact]
    public void Inflate_HostHasOnlyWhatReclaimMakes_SplitsWithThat()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size2M).Start();
        world.Fill(0x200, 1);
        world.Bytes.TryWrite((ulong)BalloonWorld.ListFrame << 12, [0x00, 2, 0, 0, 0x01, 2, 0, 0]);
        world.Driver.Offer(BalloonWorld.Inflate, ((ulong)BalloonWorld.ListFrame << 12, 8, false));
        using (world.TakeAllFree())
        {
            world.ReliefSplits(new GuestFrameNumber(0x200));
            world.NotifyAndServe(BalloonWorld.Inflate);
        }

        Assert.Equal((0UL, 2UL, 0UL), (world.Control.Counts.WithoutTable, world.Memory.BalloonedFrames, world.Memory.SwappedFrames));
        world.Check();
    }

    [Fact]
    public void RandomWords_InRingsAndBuffers_NeverHarmAnyoneElse()
    {
        int rounds = TestTiers.Pick(300, 3000, 30000);
        Random random = TestSeed.Case(5);
        using BalloonWorld world = new BalloonWorld(PageSize.Size2M).Start();
        for (int round = 0; round < rounds; round++)
        {
            int queue = random.Next(5);
            for (int i = random.Next(6); i > 0; i--)
            {
                // Descriptors that are nearly right, so that something happens.
                world.Driver.WriteDescriptor(queue, random.Next(8), Address(random), (uint)(random.Next(3) == 0 ? random.Next() : random.Next(0x3000)),
                    (ushort)(random.Next(20) == 0 ? random.Next(65536) : random.Next(4)), (ushort)(random.Next(30) == 0 ? random.Next(65536) : random.Next(8)));
            }

            byte[] noise = new byte[64];
            for (int i = 0; i < noise.Length; i += 4)
                BitConverter.TryWriteBytes(noise.AsSpan(i), random.Next(4) == 0 ? random.Next() : random.Next((int)BalloonWorld.MemoryFrames + 20));
            world.Bytes.TryWrite(Lists + (ulong)random.Next(0x4000), noise);
            world.Driver.Publish(queue, (ushort)(random.Next(40) == 0 ? random.Next(65536) : random.Next(8)));
            if (random.Next(50) == 0)
                world.Driver.SetAvailableIndex(queue, (ushort)random.Next(65536));
            world.TryServe(queue);
            if (random.Next(10) == 0)
                world.Control.RequestStatistics();
            if ((world.Driver.Status & 0x40) != 0 || random.Next(40) == 0)
                world.Start();
            if (round % 16 == 0)
                world.Check();
        }

        Assert.True(world.Transport.Broken > 0);
        Assert.True(world.Memory.Counts.Ballooned > 100, $"{world.Memory.Counts.Ballooned} frames");
        Assert.True(world.Control.Counts.OutsideMemory > 10, $"{world.Control.Counts.OutsideMemory} frames");
        world.Check();
    }

    private static ulong Address(Random random) => random.Next(20) switch
    {
        0 => (ulong)random.NextInt64(),
        < 4 => (ulong)random.Next((int)BalloonWorld.MemoryFrames << 12),
        _ => Lists + (ulong)random.Next(0x4000),
    };
}
