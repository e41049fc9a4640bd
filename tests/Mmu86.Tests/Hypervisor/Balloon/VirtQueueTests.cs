using Mmu86.Devices;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>A ring that cannot be: the device says that it needs a reset and takes nothing more.</summary>
public sealed class VirtQueueTests
{
    private const int Queue = BalloonWorld.Inflate;

    public static TheoryData<string> Ways =>
    [
        "head beyond the table", "next beyond the table", "chain of one that goes round", "chain of three that goes round", "readable behind writable",
        "indirect", "unknown flag", "index far ahead", "index behind",
    ];

    [Theory]
    [MemberData(nameof(Ways))]
    public void Ring_ThatCannotBe_NeedsAReset(string way)
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Send(Queue, 0x200);
        Break(world.Driver, way);

        world.TryServe(Queue);

        Assert.Equal(0x47, world.Driver.Status);
        Assert.False(world.Control.IsDriven);
        Assert.Equal((1UL, 1), (world.Transport.Broken, (int)world.Driver.UsedIndex(Queue)));

        // Nothing is taken until the driver resets the device; then it works as if nothing had been.
        world.Driver.Notify(Queue);
        world.Transport.WritePort(0x12, 7, 1);
        Assert.Equal(0x47, world.Driver.Status);
        world.Start();
        Assert.True(world.Control.IsDriven);
        world.Send(Queue, 0x201);
        Assert.Equal((2UL, 1UL), (world.Memory.BalloonedFrames, world.Transport.Broken));
        world.Check();
    }

    [Theory]
    [InlineData(0x400)] // the end of memory
    [InlineData(0x3FF)] // the used ring is behind it
    [InlineData(0xC_0000)] // the device hole
    [InlineData(0xFFFF_FFFF)]
    public void Ring_OutsideMemory_NeedsAReset(uint frame)
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Driver.Place(Queue, frame);
        world.Driver.Offer(Queue, (0x20_0000, 4, false));

        world.TryServe(Queue);

        Assert.Equal(0x40, world.Driver.Status & 0x40);
        world.Check();
    }

    [Fact]
    public void Registers_OfQueuesThatAreNot_ReadZeroAndTakeNothing()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        world.Transport.WritePort(0x0E, 5, 2);
        world.Transport.WritePort(0x08, 0x77, 4);

        Assert.Equal((0u, 0u, 5u), (world.Transport.ReadPort(0x08, 4), world.Transport.ReadPort(0x0C, 2), world.Transport.ReadPort(0x0E, 2)));
        world.Transport.WritePort(0x10, 5, 2);
        world.Transport.WritePort(0x10, 0xFFFF, 2);
        world.Transport.WritePort(0x0E, 4, 2);
        Assert.Equal(128u, world.Transport.ReadPort(0x0C, 2));
        Assert.Equal(0u, world.Transport.ReadPort(0x3C, 4)); // behind the configuration
        world.Transport.WritePort(0x3C, 1, 4);
        world.Check();
    }

    [Fact]
    public void Features_NotOffered_AreNotAccepted()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();

        Assert.Equal(0x27u, world.Transport.ReadPort(0x00, 4));
        Assert.Equal(0x27u, world.Transport.ReadPort(0x04, 4));
    }

    [Fact]
    public void Ring_UsedFarMoreOftenThanItHasEntries_GoesRound()
    {
        using BalloonWorld world = new BalloonWorld(PageSize.Size4K).Start();
        for (uint i = 0; i < 70_000; i++)
            world.Send(i % 2 == 0 ? BalloonWorld.Inflate : BalloonWorld.Deflate, 0x200);

        Assert.Equal((35_000 & 0xFFFF, 0UL), ((int)world.Driver.UsedIndex(Queue), world.Memory.BalloonedFrames));
        Assert.Equal((35_000UL, 35_000UL), (world.Memory.Counts.Ballooned, world.Memory.Counts.Deflated));
        world.Check();
    }

    private static void Break(VirtioDriver driver, string way)
    {
        switch (way)
        {
            case "head beyond the table":
                driver.Publish(Queue, VirtQueue.Size);
                break;
            case "next beyond the table":
                driver.WriteDescriptor(Queue, 9, 0x20_0000, 4, 1, 0x8000);
                driver.Publish(Queue, 9);
                break;
            case "chain of one that goes round":
                driver.WriteDescriptor(Queue, 9, 0x20_0000, 4, 1, 9);
                driver.Publish(Queue, 9);
                break;
            case "chain of three that goes round":
                driver.WriteDescriptor(Queue, 9, 0x20_0000, 4, 1, 10);
                driver.WriteDescriptor(Queue, 10, 0x20_0000, 4, 1, 11);
                driver.WriteDescriptor(Queue, 11, 0x20_0000, uint.MaxValue, 1, 9);
                driver.Publish(Queue, 9);
                break;
            case "readable behind writable":
                driver.Offer(Queue, (0x20_0000, 4, true), (0x20_0000, 4, false));
                break;
            case "indirect":
                driver.WriteDescriptor(Queue, 9, 0x20_0000, 16, 4, 0);
                driver.Publish(Queue, 9);
                break;
            case "unknown flag":
                driver.WriteDescriptor(Queue, 9, 0x20_0000, 16, 0x100, 0);
                driver.Publish(Queue, 9);
                break;
            case "index far ahead":
                driver.SetAvailableIndex(Queue, 1 + VirtQueue.Size + 1);
                break;
            case "index behind":
                driver.SetAvailableIndex(Queue, 0);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(way), way, "No such way.");
        }
    }
}
