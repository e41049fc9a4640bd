using System.Buffers.Binary;
using Mmu86.Devices;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Swap;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Devices;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Balloon;

public sealed class BlockDeviceTests : IDisposable
{
    private const ulong DiskBytes = 1 << 20;
    private const ulong Header = 0x2_0000;
    private const ulong Data = 0x3_0000;
    private const ulong Status = 0x2_8000;
    private const byte Unset = 0xEE;
    private const uint Read = 0;
    private const uint Write = 1;
    private const uint Flush = 4;

    private readonly MemoryWorld _world = new(8 << 20, new ZeroingScrubber());
    private readonly CountingStopper _stopper = new();
    private readonly RecordingLine _line = new();
    private readonly FailingStorage _storage = new(DiskBytes);
    private readonly GuestDeviceMemory _memory;
    private readonly BlockDevice _device;
    private readonly VirtioPciTransport _transport;
    private readonly VirtioDriver _driver;
    private ulong _now = 1000;

    public BlockDeviceTests()
    {
        _memory = new GuestDeviceMemory(_world.Add(4 << 20, PageSize.Size4K, NestedFormat.Ept, residency: null).Memory);
        var timing = new DiskTiming(new SwapDeviceModel(SwapDeviceTimes.Find("ssd")!));
        _device = new BlockDevice(_storage, timing, new SettableClock(() => _now));
        _transport = new VirtioPciTransport(VirtioPciTransport.Identify(BlockDevice.PciDevice, BlockDevice.Type, 0x10000, 11), _device, _memory, _line, _stopper);
        _driver = new VirtioDriver(_transport, _memory);
        Start();
    }

    public void Dispose()
    {
        _world.Dispose();
        _storage.Dispose();
    }

    [Fact]
    public void Configuration_HasCapacityAndSegments()
    {
        Assert.Equal((DiskBytes / 512, 0UL), (_transport.ReadPort(0x14, 4), _transport.ReadPort(0x18, 4)));
        Assert.Equal((126u, 512u), (_transport.ReadPort(0x20, 4), _transport.ReadPort(0x28, 4)));
        Assert.Equal((1u << 2) | (1u << 6) | (1u << 9), _transport.ReadPort(0x00, 4));
        _transport.WritePort(0x14, 1, 4);
        Assert.Equal(DiskBytes / 512, _transport.ReadPort(0x14, 4));
    }

    [Fact]
    public void WriteThenRead_GivesTheBytesBackWhenTimeHasCome()
    {
        byte[] bytes = new byte[4096];
        new Random(1).NextBytes(bytes);
        Assert.True(_memory.TryWrite(Data, bytes));
        Request(Write, 8, (Data, 1000, false), (Data + 1000, 3096, false));
        Assert.Equal((ushort)0, _driver.UsedIndex(0));
        Assert.False(_line.IsRaised);
        ulong done = _device.NextChange;

        // 16 µs and the transfer of 4 KiB, in ticks of 1.193182 MHz.
        Assert.InRange(done, _now + 19, _now + 32);
        Advance(done - 1);
        Assert.Equal((ushort)0, _driver.UsedIndex(0));
        Advance(done);
        Assert.Equal((ushort)1, _driver.UsedIndex(0));
        Assert.Equal((0u, 1u), _driver.Used(0, 0));
        Assert.True(_line.IsRaised);
        Assert.Equal(0, _driver.Read(Status, 1)[0]);

        Request(Read, 8, (Data + 0x4000, 4096, true));
        Advance(_device.NextChange);
        Assert.Equal(bytes, _driver.Read(Data + 0x4000, 4096));
        Assert.Equal(4097u, _driver.Used(0, 1).Written);
        Assert.Equal((1UL, 4096UL, 1UL, 4096UL, 0UL),
            (_device.Counts.Reads, _device.Counts.BytesRead, _device.Counts.Writes, _device.Counts.BytesWritten, _device.Counts.Refused));
    }

    [Fact]
    public void Requests_ThatOvertake_AreReturnedInTheOrderOfTheirEnds()
    {
        Request(Read, 0, (Data, 4096, true));
        Request(Flush, 0);
        ulong first = _device.NextChange;
        Advance(first);

        Assert.Equal((ushort)1, _driver.UsedIndex(0));
        Assert.Equal(3u, _driver.Used(0, 0).Head); // the flush
        Assert.True(_device.NextChange > first);
        Advance(_device.NextChange);
        Assert.Equal(0u, _driver.Used(0, 1).Head);
        Assert.Equal(ulong.MaxValue, _device.NextChange);
    }

    [Theory]
    [InlineData(0u, (DiskBytes / 512) - 1, 1024u, 1)] // one sector too many
    [InlineData(1u, (DiskBytes / 512) - 1, 1024u, 1)]
    [InlineData(0u, DiskBytes / 512, 512u, 1)]
    [InlineData(0u, ulong.MaxValue, 512u, 1)]
    [InlineData(0u, ulong.MaxValue / 512, 512u, 1)]
    [InlineData(0u, 0ul, 513u, 1)] // no whole sectors
    [InlineData(1u, 0ul, 100u, 1)]
    [InlineData(0u, 0ul, uint.MaxValue, 1)]
    [InlineData(1u, 0ul, 4u << 20, 1)] // larger than memory, so it cannot be RAM
    [InlineData(11u, 0ul, 512u, 2)] // no such request
    [InlineData(uint.MaxValue, 0ul, 512u, 2)]
    public void Request_ThatCannotBe_IsAnsweredWithItsStatus(uint type, ulong sector, uint length, byte status)
    {
        Request(type, sector, (Data, length, type != Write));
        Advance(_device.NextChange);

        Assert.Equal((ushort)1, _driver.UsedIndex(0));
        Assert.Equal(status, _driver.Read(Status, 1)[0]);
        Assert.Equal((1UL, 0UL, 0), (_device.Counts.Refused, _device.Counts.Failed, _driver.Status & 0x40));
    }

    [Theory]
    [InlineData(Read)]
    [InlineData(Write)]
    [InlineData(Flush)]
    public void Storage_Fails_IsAnErrorOfTheDisk(uint type)
    {
        _storage.Fails = true;
        Request(type, 0, (Data, 512, type == Read));
        Advance(_device.NextChange);

        Assert.Equal(1, _driver.Read(Status, 1)[0]);
        Assert.Equal(1u, _driver.Used(0, 0).Written);
        Assert.Equal((1UL, 1UL), (_device.Counts.Failed, _device.Counts.Refused));
        _storage.Fails = false;
        Request(type, 0, (Data, 512, type == Read));
        Advance(_device.NextChange);
        Assert.Equal(0, _driver.Read(Status, 1)[0]);
    }

    [Fact]
    public void Name_IsGiven()
    {
        Request(8, 0, (Data, 20, true));
        Advance(_device.NextChange);

        Assert.Equal("mmu86"u8, _driver.Read(Data, 5));
        Assert.Equal(21u, _driver.Used(0, 0).Written);
    }

    [Theory]
    [InlineData("no status")]
    [InlineData("short header")]
    [InlineData("header is no RAM")]
    [InlineData("status is no RAM")]
    public void Request_ThatIsNone_NeedsAReset(string way)
    {
        switch (way)
        {
            case "no status":
                _driver.Offer(0, (Header, 16, false));
                break;
            case "short header":
                _driver.Offer(0, (Header, 15, false), (Status, 1, true));
                break;
            case "header is no RAM":
                _driver.Offer(0, (0xFFFF_FFFF, 16, false), (Status, 1, true));
                break;
            default:
                _driver.Offer(0, (Header, 16, false), (ulong.MaxValue, 1, true));
                break;
        }

        _driver.Notify(0);
        _transport.Serve();

        Assert.Equal(0x40, _driver.Status & 0x40);
        Assert.Equal((ushort)0, _driver.UsedIndex(0));
    }

    [Fact]
    public void Requests_MoreThanThereAreDescriptors_NeedAReset()
    {
        // The same descriptors again and again, none of them returned yet.
        _memory.TryWrite(Header, new byte[16]);
        _driver.WriteDescriptor(0, 0, Header, 16, 1, 1);
        _driver.WriteDescriptor(0, 1, Status, 1, 2, 0);
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < VirtQueue.Size; i++)
                _driver.Publish(0, 0);
            _driver.Notify(0);
            _transport.Serve();
        }

        Assert.Equal(0x40, _driver.Status & 0x40);
        Start();
        Request(Read, 0, (Data, 512, true));
        Assert.NotEqual(ulong.MaxValue, _device.NextChange);
        Advance(_device.NextChange);
        Assert.Equal((ushort)1, _driver.UsedIndex(0));
    }

    [Fact]
    public void Reset_ForgetsWhatIsUnderWay()
    {
        Request(Read, 0, (Data, 512, true));
        Start();

        Assert.Equal(ulong.MaxValue, _device.NextChange);
        Advance(_now + 1_000_000);
        Assert.Equal((ushort)0, _driver.UsedIndex(0));
    }

    [Fact]
    public void RandomRequests_AgreeWithACopyOfTheDisk()
    {
        Random random = TestSeed.Case(9);
        byte[] copy = new byte[DiskBytes];
        for (int i = 0; i < 300; i++)
        {
            int sectors = random.Next(1, 200);
            ulong sector = (ulong)random.Next((int)(DiskBytes / 512) - sectors);
            byte[] bytes = new byte[sectors * 512];
            bool isWrite = random.Next(2) == 0;
            if (isWrite)
            {
                random.NextBytes(bytes);
                _memory.TryWrite(Data, bytes);
                bytes.CopyTo(copy, (int)sector * 512);
            }

            Request(isWrite ? Write : Read, sector, (Data, (uint)bytes.Length, !isWrite));
            Advance(_device.NextChange);
            Assert.Equal(0, _driver.Read(Status, 1)[0]);
            if (!isWrite)
                Assert.Equal(copy.AsSpan((int)sector * 512, bytes.Length).ToArray(), _driver.Read(Data, bytes.Length));
        }

        _world.Check();
    }

    private void Start()
    {
        _driver.Begin(uint.MaxValue);
        _memory.TryWrite(0x1_0000, new byte[0x2000]);
        _driver.Place(0, 0x10);
        _driver.Ready();
    }

    private void Request(uint type, ulong sector, params (ulong Address, uint Length, bool IsWritable)[] parts)
    {
        byte[] header = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), sector);
        _memory.TryWrite(Header, header);
        _memory.TryWrite(Status, [Unset]);
        _driver.Offer(0, [(Header, 16, false), .. parts, (Status, 1, true)]);
        _driver.Notify(0);
        _transport.Serve();
    }

    // As the machine does it: time stops the run when the disk is due, and then it is served.
    private void Advance(ulong now)
    {
        _now = now;
        int before = _stopper.Stops;
        bool isDue = _device.NextChange <= now;
        _device.AdvanceTo(now);
        Assert.Equal(isDue ? before + 1 : before, _stopper.Stops);
        if (isDue)
            Assert.Equal(ulong.MaxValue, _device.NextChange);
        _transport.Serve();
    }
}
