using Mmu86.Devices;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Balloon;
using Mmu86.Hypervisor.Frames;
using Mmu86.Paging;
using Mmu86.Tests.Devices;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>A machine of 4 MiB with a balloon whose driver is the test, and another beside it that has written all its memory. Isolation is audited.</summary>
internal sealed class BalloonWorld : IDisposable
{
    public const int Inflate = 0;
    public const int Deflate = 1;
    public const int Statistics = 2;
    public const uint MemoryFrames = 1024;

    // Rings in the first megabyte, lists of frames behind them.
    public const uint ListFrame = 0x40;

    private readonly MemoryWorld _world;
    private readonly VirtualMachine _neighbour;
    private readonly CountingStopper _stopper = new();

    public BalloonWorld(PageSize largest)
    {
        _world = new MemoryWorld(16 << 20, new ZeroingScrubber());
        Machine = _world.Add(MemoryFrames << 12, largest, NestedFormat.Ept, residency: null);
        _neighbour = _world.Add(1 << 20, PageSize.Size4K, NestedFormat.Npt, residency: null);
        for (ulong address = 0; address < 1 << 20; address += 4096)
            _neighbour.Memory.Write(new GuestPhysicalAddress(address), BitConverter.GetBytes(address + 77));
        Bytes = new GuestDeviceMemory(Machine.Memory);
        Device = new BalloonDevice(Machine.Balloon);
        Machine.Balloon.Connect(Device);
        Transport = new VirtioPciTransport(VirtioPciTransport.Identify(BalloonDevice.PciDevice, BalloonDevice.Type, 0xFF00, 10), Device, Bytes, Line, _stopper);
        Driver = new VirtioDriver(Transport, Bytes);
    }

    public VirtualMachine Machine { get; }

    public GuestMemoryManager Memory => Machine.Memory;

    public BalloonControl Control => Machine.Balloon;

    public MemoryPageStore Store => _world.Store;

    public GuestDeviceMemory Bytes { get; }

    public BalloonDevice Device { get; }

    public RecordingLine Line { get; } = new();

    public VirtioPciTransport Transport { get; }

    public VirtioDriver Driver { get; }

    public ulong FramesFree => _world.Host.Frames.FramesFree;

    /// <summary>Every queue in frames of its own, all features accepted. Rings and list have frames of the host.</summary>
    public BalloonWorld Start()
    {
        for (uint frame = 0x10; frame <= ListFrame; frame++)
            Memory.Write(new GuestFrameNumber(frame).Address, new byte[4096]);
        Driver.Begin(uint.MaxValue);
        for (int queue = 0; queue < 5; queue++)
            Driver.Place(queue, 0x10 + ((uint)queue * 4));
        Driver.Ready();
        return this;
    }

    /// <summary>Sends frame numbers and lets the device work.</summary>
    public void Send(int queue, params uint[] frames)
    {
        byte[] list = new byte[frames.Length * 4];
        Buffer.BlockCopy(frames, 0, list, 0, list.Length);
        Assert.True(Bytes.TryWrite((ulong)ListFrame << 12, list));
        Driver.Offer(queue, ((ulong)ListFrame << 12, (uint)list.Length, false));
        NotifyAndServe(queue);
    }

    public void NotifyAndServe(int queue)
    {
        int before = _stopper.Stops;
        Driver.Notify(queue);
        Assert.Equal(before + 1, _stopper.Stops);
        Transport.Serve();
    }

    /// <summary>Notifies and serves where the device may be broken already.</summary>
    public void TryServe(int queue)
    {
        Driver.Notify(queue);
        Transport.Serve();
    }

    public void Fill(uint first, uint frames)
    {
        for (uint frame = first; frame < first + frames; frame++)
            Memory.Write(new GuestFrameNumber(frame).Address, BitConverter.GetBytes(frame | 0xABCD_0000_0000UL));
    }

    public ulong ReadWord(uint frame) => BitConverter.ToUInt64(Driver.Read((ulong)frame << 12, 8));

    public GuestFrameState State(uint frame) => Memory.StateOf(new GuestFrameNumber(frame));

    /// <summary>Leaves the host without a free frame until what is returned is disposed.</summary>
    public IDisposable TakeAllFree() => new Hoard(_world.Host.Frames);

    /// <summary>Where a frame is needed and there is none, reclaim takes two from the neighbour, and one of a large page of the machine's, which it splits.</summary>
    public void ReliefSplits(GuestFrameNumber frame) =>
        _world.Host.Frames.Relief = () => _neighbour.Memory.Evict([new GuestFrameNumber(5), new GuestFrameNumber(6)]) + Memory.Evict([frame]) == 3;

    /// <summary>Every frame is accounted for, and the neighbour has what it wrote.</summary>
    public void Check()
    {
        _world.Check();
        byte[] bytes = new byte[8];
        for (ulong address = 0; address < 1 << 20; address += 4096)
        {
            _neighbour.Memory.Read(new GuestPhysicalAddress(address), bytes);
            Assert.Equal(address + 77, BitConverter.ToUInt64(bytes));
        }
    }

    public void Dispose()
    {
        _world.Remove(Machine);
        _world.Remove(_neighbour);
        Assert.Equal((0UL, 0), (_world.Host.Frames.FramesUsed, _world.Store.Count));
        _world.Dispose();
    }

    private sealed class Hoard : IDisposable
    {
        private const ushort Owner = 999;

        private readonly HostFrameAllocator _frames;
        private readonly List<HostPhysicalAddress> _taken = [];

        public Hoard(HostFrameAllocator frames)
        {
            _frames = frames;
            while (frames.TryTake(Owner, PageSize.Size4K, out HostPhysicalAddress start))
                _taken.Add(start);
        }

        public void Dispose() => _taken.ForEach(start => _frames.Return(Owner, PageSize.Size4K, start));
    }
}
