using System.Buffers.Binary;
using Mmu86.Hypervisor;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Balloon;

public sealed class BalloonTests
{
    [Fact]
    public void Inflate_ResidentFrames_ReturnToTheHost()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Fill(0x200, 8);
        world.Send(BalloonWorld.Inflate, 0x3F0); // tables are there now
        ulong free = world.FramesFree;
        ulong invalidations = world.Memory.Counts.Invalidations;

        world.Send(BalloonWorld.Inflate, 0x200, 0x203, 0x207);

        Assert.Equal(free + 3, world.FramesFree);
        Assert.Equal(invalidations + 1, world.Memory.Counts.Invalidations);
        Assert.Equal(4UL, world.Memory.BalloonedFrames);
        Assert.Equal(4UL, world.Memory.Counts.Ballooned);
        Assert.Equal([GuestFrameState.Ballooned, GuestFrameState.Resident], new[] { 0x203u, 0x204u }.Select(world.State));
        Assert.False(world.Memory.TryTranslate(new GuestFrameNumber(0x203).Address, out _));
        Assert.Equal((0u, 0u), world.Driver.Used(BalloonWorld.Inflate, 0));
        Assert.Equal(2, world.Driver.UsedIndex(BalloonWorld.Inflate));
        Assert.True(world.Line.IsRaised);
        Assert.Equal(1, world.Driver.TakeInterrupts());
        Assert.False(world.Line.IsRaised);
        world.Check();
    }

    [Fact]
    public void Inflate_SwappedFrame_FreesItsSlot()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Fill(0x200, 2);
        world.Memory.Evict([new GuestFrameNumber(0x200), new GuestFrameNumber(0x201)]);

        world.Send(BalloonWorld.Inflate, 0x201);

        Assert.Equal((1UL, 1, GuestFrameState.Ballooned), (world.Memory.SwappedFrames, world.Store.Count, world.State(0x201)));
        world.Check();
    }

    [Fact]
    public void Inflate_PartOfLargePage_SplitsIt()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size2M).Start();
        world.Fill(0x200, 1);
        Assert.Equal(GuestFrameState.Resident, world.State(0x3FF));
        ulong splits = world.Memory.Counts.Splits;

        world.Send(BalloonWorld.Inflate, 0x300, 0x301);

        Assert.Equal(splits + 1, world.Memory.Counts.Splits);
        Assert.Equal(GuestFrameState.Resident, world.State(0x3FF));
        Assert.Equal(0xABCD_0000_0200UL, world.ReadWord(0x200));
        world.Check();
    }

    [Fact]
    public void Touch_BalloonedFrame_IsFreshAndCounted()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Fill(0x200, 1);
        world.Send(BalloonWorld.Inflate, 0x200);
        Assert.Equal(0UL, world.ReadWord(0x200));
        Assert.Equal(GuestFrameState.Ballooned, world.State(0x200)); // a device that reads it does not use it

        Assert.Equal(PopulateResult.Mapped, world.Memory.Populate(new GuestFrameNumber(0x200).Address));

        Assert.Equal(GuestFrameState.Resident, world.State(0x200));
        Assert.Equal(0UL, world.ReadWord(0x200));
        Assert.Equal((0UL, 1UL), (world.Memory.BalloonedFrames, world.Memory.Counts.BalloonedTouched));
        world.Check();
    }

    [Fact]
    public void Deflate_BalloonedFrames_AreUnpopulated()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Fill(0x200, 2);
        world.Send(BalloonWorld.Inflate, 0x200, 0x201);
        ulong free = world.FramesFree;

        world.Send(BalloonWorld.Deflate, 0x201);

        Assert.Equal([GuestFrameState.Ballooned, GuestFrameState.Unpopulated], new[] { 0x200u, 0x201u }.Select(world.State));
        Assert.Equal((free, 1UL, 1UL), (world.FramesFree, world.Memory.BalloonedFrames, world.Memory.Counts.Deflated));
        Assert.Equal(0UL, world.Memory.Counts.BalloonedTouched);
        world.Fill(0x201, 1);
        Assert.Equal(0xABCD_0000_0201UL, world.ReadWord(0x201));
        world.Check();
    }

    [Fact]
    public void Target_IsSet_TellsTheDriverAndShowsInItsConfiguration()
    {
        using var world = new BalloonWorld(PageSize.Size4K);
        world.Control.TargetFrames = 5;
        Assert.False(world.Line.IsRaised); // nobody is there
        world.Start();
        Assert.True(world.Control.IsDriven);
        Assert.Equal(5u, world.Transport.ReadPort(0x14, 4));

        world.Control.TargetFrames = 0x321;

        Assert.True(world.Line.IsRaised);
        Assert.Equal(2, world.Driver.TakeInterrupts());
        Assert.Equal(0x321u, world.Transport.ReadPort(0x14, 4));
        world.Transport.WritePort(0x18, 0x123, 4);
        Assert.Equal(0x123UL, world.Control.ActualFrames);
        Assert.Equal(0x123u, world.Transport.ReadPort(0x18, 4));
        world.Control.TargetFrames = ulong.MaxValue;
        Assert.Equal(BalloonWorld.MemoryFrames, world.Transport.ReadPort(0x14, 4));
        world.Driver.TakeInterrupts();
        world.Control.TargetFrames = BalloonWorld.MemoryFrames;
        Assert.False(world.Line.IsRaised); // nothing new
    }

    [Fact]
    public void InterruptDisable_InTheCommandRegister_HoldsTheLine()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Transport.Configuration.Write(4, 0x0401, 2);

        world.Control.TargetFrames = 1;

        Assert.False(world.Line.IsRaised);
        Assert.Equal(8u, world.Transport.Configuration.Read(6, 2));
        world.Transport.Configuration.Write(4, 0x0001, 2);
        Assert.True(world.Line.IsRaised);
    }

    [Fact]
    public void Statistics_Requested_ComeWithTheNextBuffer()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        Assert.False(world.Control.RequestStatistics());
        SendStatistics(world, (4, 1000), (5, 4096));
        Assert.Equal((1000UL, 4096UL), (world.Control.Statistics!.Value.FreeBytes, world.Control.Statistics.Value.TotalBytes));
        Assert.Null(world.Control.Statistics.Value.AvailableBytes);
        Assert.Equal(0, world.Driver.UsedIndex(BalloonWorld.Statistics)); // it is kept

        Assert.True(world.Control.RequestStatistics());

        Assert.Equal(1, world.Driver.UsedIndex(BalloonWorld.Statistics));
        Assert.Equal(1, world.Driver.TakeInterrupts());
        Assert.False(world.Control.RequestStatistics()); // asked already
        SendStatistics(world, (4, 500), (77, 1), (6, 600), (0, 8), (1, 9), (2, 10), (3, 11), (7, 12));
        BalloonStatistics(world, 500, 600);
        Assert.Equal(2UL, world.Control.Counts.StatisticsReceived);
        Assert.True(world.Control.RequestStatistics());
    }

    [Theory]
    [InlineData(3)] // as Linux and QEMU number the queues that there are
    [InlineData(4)] // as the text does
    public void Report_RangeThatHoldsALargePage_GivesItBackWhole(int queue)
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size2M).Start();
        world.Fill(0x200, 1);
        ulong splits = world.Memory.Counts.Splits;
        ulong free = world.FramesFree;

        world.Driver.Offer(queue, (0x20_0000, 0x20_0000, true));
        world.NotifyAndServe(queue);

        Assert.Equal((splits, free + 512, 512UL), (world.Memory.Counts.Splits, world.FramesFree, world.Memory.Counts.ReportedFree));
        Assert.Equal(GuestFrameState.Unpopulated, world.State(0x200));
        Assert.Equal(0UL, world.ReadWord(0x200));
        Assert.Equal(1, world.Driver.UsedIndex(queue));
        world.Check();
        world.Fill(0x233, 1);
        Assert.Equal(GuestFrameState.Resident, world.State(0x3FF)); // a large page again
        world.Check();
    }

    [Fact]
    public void Report_PartOfALargePageAndSwappedFrames_GivesUpWhatIsWhole()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size2M).Start();
        world.Fill(0x200, 4);
        world.Memory.Evict([new GuestFrameNumber(0x201)]);
        world.Send(BalloonWorld.Inflate, 0x203);

        world.Driver.Offer(3, (0x20_0800, 0x3000, true)); // half of 200, 201, 202, half of 203
        world.NotifyAndServe(3);

        Assert.Equal(
            [GuestFrameState.Resident, GuestFrameState.Unpopulated, GuestFrameState.Unpopulated, GuestFrameState.Ballooned, GuestFrameState.Resident],
            new[] { 0x200u, 0x201u, 0x202u, 0x203u, 0x204u }.Select(world.State));
        Assert.Equal(0UL, world.Memory.SwappedFrames);
        world.Check();
    }

    [Fact]
    public void Interrupt_NotWanted_IsNotRaised()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Driver.SetNoInterrupt(BalloonWorld.Inflate);

        world.Send(BalloonWorld.Inflate, 0x200);

        Assert.Equal(1, world.Driver.UsedIndex(BalloonWorld.Inflate));
        Assert.False(world.Line.IsRaised);
    }

    [Fact]
    public void Reset_ByTheDriver_KeepsTheFramesAndForgetsTheRest()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Send(BalloonWorld.Inflate, 0x200);
        world.Transport.WritePort(0x18, 1, 4);
        SendStatistics(world, (4, 1));

        world.Transport.WritePort(0x12, 0, 1);

        Assert.False(world.Control.IsDriven);
        Assert.False(world.Line.IsRaised);
        Assert.Equal((0UL, 1UL), (world.Control.ActualFrames, world.Control.BalloonedFrames));
        Assert.False(world.Control.RequestStatistics());
        Assert.Equal(0u, world.Transport.ReadPort(0x08, 4));
        world.Start();
        world.Send(BalloonWorld.Deflate, 0x200);
        Assert.Equal(0UL, world.Control.BalloonedFrames);
        world.Check();
    }

    private static void BalloonStatistics(BalloonWorld world, ulong free, ulong available)
    {
        Mmu86.Devices.BalloonStatistics statistics = world.Control.Statistics!.Value;
        Assert.Equal((free, available, null), (statistics.FreeBytes, statistics.AvailableBytes, statistics.TotalBytes));
        Assert.Equal((8UL, 9UL, 10UL, 11UL, 12UL),
            (statistics.SwappedInBytes, statistics.SwappedOutBytes, statistics.MajorFaults, statistics.MinorFaults, statistics.CacheBytes));
    }

    private static void SendStatistics(BalloonWorld world, params (ushort Tag, ulong Value)[] entries)
    {
        byte[] bytes = new byte[(entries.Length * 10) + 3]; // and a part of an entry
        for (int i = 0; i < entries.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(i * 10), entries[i].Tag);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((i * 10) + 2), entries[i].Value);
        }

        Assert.True(world.Bytes.TryWrite((ulong)BalloonWorld.ListFrame << 12, bytes));
        world.Driver.Offer(BalloonWorld.Statistics, ((ulong)BalloonWorld.ListFrame << 12, (uint)bytes.Length, false));
        world.NotifyAndServe(BalloonWorld.Statistics);
    }
}
