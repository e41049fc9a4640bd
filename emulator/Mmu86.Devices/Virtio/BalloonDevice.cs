using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A memory balloon: the host says how much memory it wants back, the guest's driver gives frames of its own choice. VIRTIO 1.2, "Traditional Memory Balloon Device".</summary>
/// <remarks>
/// Queues: 0 inflates, 1 deflates, 2 brings statistics. Free pages are reported in queue 4, as the text has it, or in the first number that is
/// left when queues of features that were not accepted are not counted, as Linux and QEMU do.
/// </remarks>
public sealed class BalloonDevice : IVirtioDevice
{
    /// <summary>The device type.</summary>
    public const ushort Type = 5;

    /// <summary>The device ID on a PCI bus.</summary>
    public const ushort PciDevice = 0x1002;

    /// <summary>The most frame numbers in a buffer; a longer one is refused as a whole. Drivers send 256 or 1024.</summary>
    public const int MostFrames = 16384;

    /// <summary>The most bytes reported as free by one buffer; what goes beyond is refused. Linux reports 128 MiB at most.</summary>
    public const ulong MostReportedBytes = 256UL << 20;

    /// <summary>The guest deflates before it uses a frame again, and waits for the answer.</summary>
    public const uint FeatureMustTellHost = 1u << 0;

    /// <summary>There is a queue for statistics.</summary>
    public const uint FeatureStatistics = 1u << 1;

    /// <summary>The guest may deflate when it is short of memory, whatever the target says.</summary>
    public const uint FeatureDeflateOnOutOfMemory = 1u << 2;

    /// <summary>There is a queue for reports of free pages.</summary>
    public const uint FeatureReporting = 1u << 5;

    private const int MostStatisticsBytes = 64 * BalloonStatistics.EntryBytes;
    private const int InflateQueue = 0;
    private const int DeflateQueue = 1;
    private const int StatisticsQueue = 2;
    private const int ReportingQueue = 4;
    private const int ActualOffset = 4;
    private const int ConfigurationBytes = 8;

    private readonly IBalloonHost _host;
    private readonly uint[] _frames = new uint[MostFrames];
    private VirtioPciTransport _transport = null!;
    private uint _actual;

    // The buffer in which the driver left statistics, kept until new ones are wanted.
    private ushort? _statisticsHead;

    /// <summary>Makes one.</summary>
    /// <param name="host">Who takes the frames.</param>
    public BalloonDevice(IBalloonHost host) => _host = host;

    /// <inheritdoc/>
    public uint Features => FeatureMustTellHost | FeatureStatistics | FeatureDeflateOnOutOfMemory | FeatureReporting;

    /// <inheritdoc/>
    public int QueueCount => ReportingQueue + 1;

    private bool HasStatistics => (_transport.DriverFeatures & FeatureStatistics) != 0;

    private bool HasReporting => (_transport.DriverFeatures & FeatureReporting) != 0;

    /// <inheritdoc/>
    public void Connect(VirtioPciTransport transport) => _transport = transport;

    /// <summary>The target is another. Only while the machine does not run.</summary>
    public void NoteTarget() => _transport.NoteConfigurationChanged();

    /// <summary>Asks the driver for new statistics: they come when the guest has run. Only while the machine does not run.</summary>
    /// <returns>False where the driver has not brought any, or has not brought those that were asked for before.</returns>
    public bool RequestStatistics()
    {
        if (_statisticsHead is not { } head)
            return false;
        _statisticsHead = null;
        GiveBack(_transport.Queue(StatisticsQueue), head);
        return true;
    }

    /// <inheritdoc/>
    public byte ReadConfiguration(int offset)
    {
        Span<byte> bytes = stackalloc byte[ConfigurationBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, _host.TargetFrames);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[ActualOffset..], _actual);
        return offset < ConfigurationBytes ? bytes[offset] : (byte)0;
    }

    /// <inheritdoc/>
    public void WriteConfiguration(int offset, uint value, int size)
    {
        Span<byte> bytes = stackalloc byte[ConfigurationBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[ActualOffset..], _actual);
        for (int i = 0; i < size && offset + i < ConfigurationBytes; i++)
            bytes[offset + i] = (byte)(value >> (8 * i));
        _actual = BinaryPrimitives.ReadUInt32LittleEndian(bytes[ActualOffset..]);
        _host.NoteActual(_actual);
    }

    /// <inheritdoc/>
    public void Serve(int index, VirtQueue queue)
    {
        for (int left = queue.CountAvailable(); left > 0 && queue.TryTake(out VirtioChain chain); left--)
        {
            switch (index)
            {
                case InflateQueue:
                    _host.Inflate(ReadFrames(chain));
                    break;
                case DeflateQueue:
                    _host.Deflate(ReadFrames(chain));
                    break;
                case StatisticsQueue when HasStatistics:
                    TakeStatistics(queue, chain);
                    continue; // kept
                default:
                    Report(chain);
                    break;
            }

            GiveBack(queue, chain.Head);
        }
    }

    /// <inheritdoc/>
    public void ServeTime()
    {
        // Nothing takes time.
    }

    /// <inheritdoc/>
    /// <remarks>The frames that the balloon has stay where they are: only a guest can say that it uses them again.</remarks>
    public void Reset()
    {
        _statisticsHead = null;
        _actual = 0;
        _host.NoteActual(0);
        _host.DriverChanged(isDriven: false);
    }

    /// <inheritdoc/>
    public void DriverChanged(bool isDriven) => _host.DriverChanged(isDriven);

    private void GiveBack(VirtQueue queue, ushort head)
    {
        queue.Return(head, written: 0);
        _transport.NoteReturned(queue);
    }

    private ReadOnlySpan<uint> ReadFrames(VirtioChain chain)
    {
        Span<uint> frames = _frames.AsSpan(0, (int)Math.Min(chain.ReadableLength / sizeof(uint), MostFrames));
        Span<byte> bytes = MemoryMarshal.AsBytes(frames);
        if (chain.ReadableLength > sizeof(uint) * MostFrames || !chain.TryRead(0, bytes))
        {
            _host.NoteRefusedBuffer();
            return [];
        }

        return frames;
    }

    private void TakeStatistics(VirtQueue queue, VirtioChain chain)
    {
        // A driver has one buffer for statistics; of two, the older goes back.
        if (_statisticsHead is { } old)
            GiveBack(queue, old);
        _statisticsHead = chain.Head;
        byte[] bytes = new byte[Math.Min(chain.ReadableLength, MostStatisticsBytes)];
        if (chain.TryRead(0, bytes))
            _host.NoteStatistics(BalloonStatistics.Parse(bytes));
        else
            _host.NoteRefusedBuffer();
    }

    private void Report(VirtioChain chain)
    {
        ulong left = HasReporting ? MostReportedBytes : 0;
        foreach (VirtioChain.Segment segment in chain.Writable)
        {
            if (segment.Length > left)
            {
                _host.NoteRefusedBuffer();
                return;
            }

            left -= segment.Length;
            _host.ReportFree(segment.Address, segment.Length);
        }
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_actual);
        writer.Write((ulong?)_statisticsHead);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _actual = reader.ReadUInt32("actual");
        _statisticsHead = (ushort?)reader.ReadOptional("statisticsHead");
        if (_statisticsHead >= VirtQueue.Size)
            throw reader.Refuse("statisticsHead", "is no descriptor");
    }
}
