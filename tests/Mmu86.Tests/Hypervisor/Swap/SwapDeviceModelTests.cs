using Mmu86.Hypervisor.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Swap;

public sealed class SwapDeviceModelTests
{
    private static readonly SwapDeviceTimes s_plain = new()
    {
        Name = "plain",
        QueueDepth = 2,
        ReadNanoseconds = 100,
        WriteNanoseconds = 50,
        SeekNanoseconds = 1000,
        ReadPicosecondsPerByte = 1000,
        WritePicosecondsPerByte = 2000,
    };

    [Fact]
    public void Complete_OperationsInARow_PayOneSeek()
    {
        var model = new SwapDeviceModel(s_plain with { QueueDepth = 1 });
        Assert.Equal(1110UL, model.Complete(SwapOperation.Read, 0, 10, 0));
        Assert.Equal(1110UL + 110, model.Complete(SwapOperation.Read, 10, 10, 0));
        Assert.Equal(1220UL + 70, model.Complete(SwapOperation.Write, 20, 10, 0));
        Assert.Equal(1290UL + 1110, model.Complete(SwapOperation.Read, 20, 10, 0));
    }

    [Fact]
    public void Complete_MoreThanTheQueueHolds_WaitForAPlace()
    {
        var model = new SwapDeviceModel(s_plain with { SeekNanoseconds = 0 });
        Assert.Equal(101UL, model.Complete(SwapOperation.Read, 0, 1, 0));
        Assert.Equal(101UL, model.Complete(SwapOperation.Read, 100, 1, 0));
        Assert.Equal(202UL, model.Complete(SwapOperation.Read, 200, 1, 0));
        Assert.Equal(1101UL, model.Complete(SwapOperation.Read, 300, 1, 1000));
    }

    [Fact]
    public void Complete_LargeOperationsAtOnce_ShareTheLink()
    {
        var model = new SwapDeviceModel(s_plain with { SeekNanoseconds = 0 });
        Assert.Equal(10_100UL, model.Complete(SwapOperation.Read, 0, 10_000, 0));
        Assert.Equal(20_000UL, model.Complete(SwapOperation.Read, 20_000, 10_000, 0));
    }

    [Fact]
    public void Complete_ClusterOnADisk_IsManyTimesFasterThanItsPagesApart()
    {
        var together = new SwapDeviceModel(SwapDeviceTimes.Find("hdd")!);
        var apart = new SwapDeviceModel(SwapDeviceTimes.Find("hdd")!);
        ulong cluster = together.Complete(SwapOperation.Write, 0, 16 * 4096, 0);
        ulong last = 0;
        for (ulong i = 0; i < 16; i++)
            last = apart.Complete(SwapOperation.Write, i * 8192, 4096, 0);
        Assert.InRange((double)last / cluster, 15, 16);
    }

    [Fact]
    public void Presets_OneReadOfAPageAtATime_AreWhatTheirMakersSay()
    {
        Assert.Equal(["nvme", "ssd", "hdd"], SwapDeviceTimes.Names);
        Assert.Equal([52_172UL, 99_947UL, 12_779_506UL], SwapDeviceTimes.Names.Select(name => new SwapDeviceModel(SwapDeviceTimes.Find(name)!).Complete(SwapOperation.Read, 4096, 4096, 0)));
        Assert.Null(SwapDeviceTimes.Find("tape"));
    }

    [Fact]
    public void Complete_NoPlaceInTheQueue_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new SwapDeviceModel(s_plain with { QueueDepth = 0 }));
}
