using Mmu86.Devices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Balloon;

/// <summary>The host's end of a machine's balloon: what it is asked for, what it has, and what the guest says about its memory.</summary>
/// <remarks>
/// To be used at barriers only. What the guest says is its word: <see cref="ActualFrames"/> and <see cref="Statistics"/> may be invented, and a target
/// may never be reached. What the balloon has in truth is <see cref="GuestMemoryManager.BalloonedFrames"/>.
/// </remarks>
public sealed class BalloonControl : IBalloonHost, ISavedDevice
{
    private readonly GuestMemoryManager _memory;
    private BalloonDevice? _device;
    private ulong _target;
    private GuestFrameNumber[] _numbers = [];

    internal BalloonControl(GuestMemoryManager memory) => _memory = memory;

    /// <summary>Whether the guest has a driver that works with the balloon.</summary>
    public bool IsDriven { get; private set; }

    /// <summary>Frames of 4 KiB that the balloon is to have. More than the guest has is as many as it has. Setting it tells the driver.</summary>
    public ulong TargetFrames
    {
        get => _target;
        set
        {
            ulong target = Math.Min(Math.Min(value, _memory.SizeInBytes >> 12), uint.MaxValue);
            if (target == _target)
                return;
            _target = target;
            _device?.NoteTarget();
        }
    }

    /// <summary>Frames of 4 KiB that the balloon has, as the guest says.</summary>
    public ulong ActualFrames { get; private set; }

    /// <summary>Frames of 4 KiB that the balloon has.</summary>
    public ulong BalloonedFrames => _memory.BalloonedFrames;

    /// <summary>What the guest said about its memory last; null while it has said nothing.</summary>
    public BalloonStatistics? Statistics { get; private set; }

    /// <summary>What cannot be, and what was counted.</summary>
    public BalloonCounts Counts { get; } = new();

    /// <inheritdoc/>
    uint IBalloonHost.TargetFrames => (uint)TargetFrames;

    /// <summary>Connects the device that the guest sees.</summary>
    public void Connect(BalloonDevice device) => _device = device;

    /// <summary>Asks the guest for new <see cref="Statistics"/>. They come when it has run.</summary>
    /// <returns>False where it cannot be asked: no driver, or it has not answered yet.</returns>
    public bool RequestStatistics() => IsDriven && _device!.RequestStatistics();

    /// <inheritdoc/>
    void IBalloonHost.Inflate(ReadOnlySpan<uint> frames)
    {
        if (_numbers.Length < frames.Length)
            _numbers = new GuestFrameNumber[frames.Length];
        for (int i = 0; i < frames.Length; i++)
            _numbers[i] = new GuestFrameNumber(frames[i]);
        BalloonOutcome outcome = _memory.Balloon(_numbers.AsSpan(0, frames.Length));
        Counts.OutsideMemory += outcome.OutsideMemory;
        Counts.InflatedTwice += outcome.Repeated;
        Counts.WithoutTable += outcome.WithoutTable;
    }

    /// <inheritdoc/>
    void IBalloonHost.Deflate(ReadOnlySpan<uint> frames)
    {
        foreach (uint number in frames)
        {
            var frame = new GuestFrameNumber(number);
            if (!_memory.IsFrame(frame))
                Counts.OutsideMemory++;
            else if (!_memory.Deflate(frame))
                Counts.DeflatedUnknown++;
        }
    }

    /// <inheritdoc/>
    void IBalloonHost.ReportFree(ulong address, uint length)
    {
        if (!_memory.ReportFree(new GuestPhysicalAddress(address), length))
            Counts.ReportsRefused++;
    }

    /// <inheritdoc/>
    void IBalloonHost.NoteRefusedBuffer() => Counts.BuffersRefused++;

    /// <inheritdoc/>
    void IBalloonHost.NoteActual(uint frames) => ActualFrames = frames;

    /// <inheritdoc/>
    void IBalloonHost.NoteStatistics(in BalloonStatistics statistics)
    {
        Statistics = statistics;
        Counts.StatisticsReceived++;
    }

    /// <inheritdoc/>
    void IBalloonHost.DriverChanged(bool isDriven) => IsDriven = isDriven;

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_target);
        writer.Write(ActualFrames);
        writer.Write(IsDriven);
        Counts.Save(writer);
        writer.Write(Statistics.HasValue);
        BalloonStatistics said = Statistics ?? default;
        foreach (ulong? value in (ReadOnlySpan<ulong?>)[
            said.SwappedInBytes, said.SwappedOutBytes, said.MajorFaults, said.MinorFaults, said.FreeBytes, said.TotalBytes, said.AvailableBytes, said.CacheBytes])
            writer.Write(value);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _target = reader.ReadUInt64("target", 0, _memory.SizeInBytes >> 12);
        ActualFrames = reader.ReadUInt64("actual", 0, uint.MaxValue);
        IsDriven = reader.ReadBoolean("driven");
        Counts.Load(reader);
        bool hasSaid = reader.ReadBoolean("hasStatistics");
        var said = new BalloonStatistics
        {
            SwappedInBytes = reader.ReadOptional("swappedIn"),
            SwappedOutBytes = reader.ReadOptional("swappedOut"),
            MajorFaults = reader.ReadOptional("majorFaults"),
            MinorFaults = reader.ReadOptional("minorFaults"),
            FreeBytes = reader.ReadOptional("free"),
            TotalBytes = reader.ReadOptional("total"),
            AvailableBytes = reader.ReadOptional("available"),
            CacheBytes = reader.ReadOptional("cache"),
        };
        Statistics = hasSaid ? said : null;
    }
}
