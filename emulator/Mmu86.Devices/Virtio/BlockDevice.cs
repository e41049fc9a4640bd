using System.Buffers.Binary;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A disk. VIRTIO 1.2, "Block Device".</summary>
/// <remarks>
/// A request is carried out when the machine stops for it; the driver learns of it when the simulated disk is done. A driver looks at neither data nor
/// status before.
/// </remarks>
public sealed class BlockDevice : IVirtioDevice, ITimedDevice
{
    /// <summary>The device type.</summary>
    public const ushort Type = 2;

    /// <summary>The device ID on a PCI bus.</summary>
    public const ushort PciDevice = 0x1001;

    /// <summary>Bytes of a sector.</summary>
    public const int SectorBytes = 512;

    /// <summary>The most bytes of data in a request; a longer one is an error.</summary>
    public const int MostBytes = 4 << 20;

    private const uint FeatureMostSegments = 1u << 2;
    private const uint FeatureBlockSize = 1u << 6;
    private const uint FeatureFlush = 1u << 9;

    private const int HeaderBytes = 16;
    private const int NameBytes = 20;
    private const uint RequestRead = 0;
    private const uint RequestWrite = 1;
    private const uint RequestFlush = 4;
    private const uint RequestName = 8;
    private const byte StatusOk = 0;
    private const byte StatusError = 1;
    private const byte StatusUnsupported = 2;
    private const ulong NanosecondsInSecond = 1_000_000_000;

    private readonly IBlockStorage _storage;
    private readonly IBlockTiming _timing;
    private readonly IDeviceClock _clock;

    // In the order in which they are done; those of one moment in the order in which they were asked for.
    private readonly List<Request> _underWay = [];
    private byte[] _buffer = [];
    private VirtioPciTransport _transport = null!;
    private bool _isDue;

    /// <summary>Makes a disk.</summary>
    /// <param name="storage">Its bytes.</param>
    /// <param name="timing">How long it takes.</param>
    /// <param name="clock">The guest's time.</param>
    public BlockDevice(IBlockStorage storage, IBlockTiming timing, IDeviceClock clock)
    {
        _storage = storage;
        _timing = timing;
        _clock = clock;
    }

    /// <inheritdoc/>
    public uint Features => FeatureMostSegments | FeatureBlockSize | FeatureFlush;

    /// <inheritdoc/>
    public int QueueCount => 1;

    /// <summary>What it was asked.</summary>
    public BlockCounts Counts { get; } = new();

    /// <inheritdoc/>
    public bool IsWanted => true;

    /// <inheritdoc/>
    /// <remarks>Once it is due the machine stops, and nothing changes until it was served.</remarks>
    public ulong NextChange => _isDue || _underWay.Count == 0 ? ulong.MaxValue : _underWay[0].DoneAt;

    /// <inheritdoc/>
    public void Connect(VirtioPciTransport transport) => _transport = transport;

    /// <inheritdoc/>
    public void AdvanceTo(ulong now)
    {
        if (_isDue || _underWay.Count == 0 || _underWay[0].DoneAt > now)
            return;
        _isDue = true;
        _transport.RequestService();
    }

    /// <inheritdoc/>
    public byte ReadConfiguration(int offset)
    {
        Span<byte> bytes = stackalloc byte[24];
        bytes.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, _storage.SizeInBytes / SectorBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], VirtQueue.Size - 2); // header and status are two more
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], SectorBytes);
        return offset < bytes.Length ? bytes[offset] : (byte)0;
    }

    /// <inheritdoc/>
    public void WriteConfiguration(int offset, uint value, int size)
    {
        // All of it is read only.
    }

    /// <inheritdoc/>
    public void Serve(int index, VirtQueue queue)
    {
        for (int left = queue.CountAvailable(); left > 0 && queue.TryTake(out VirtioChain chain); left--)
        {
            // No more can be under way than there are descriptors, and a request without header or status is none.
            if (_underWay.Count == VirtQueue.Size || !TryCarryOut(chain, out Request request))
            {
                queue.Break();
                return;
            }

            int at = _underWay.Count;
            while (at > 0 && _underWay[at - 1].DoneAt > request.DoneAt)
                at--;
            _underWay.Insert(at, request);
        }
    }

    /// <inheritdoc/>
    public void ServeTime()
    {
        _isDue = false;
        int done = 0;
        while (done < _underWay.Count && _underWay[done].DoneAt <= _clock.Now)
        {
            _transport.Queue(0).Return(_underWay[done].Head, _underWay[done].Written);
            done++;
        }

        _underWay.RemoveRange(0, done);
        if (done > 0)
            _transport.NoteReturned(_transport.Queue(0));
    }

    /// <inheritdoc/>
    /// <remarks>Requests that are under way are forgotten.</remarks>
    public void Reset()
    {
        _underWay.Clear();
        _isDue = false;
    }

    /// <inheritdoc/>
    public void DriverChanged(bool isDriven)
    {
        // A disk does not care.
    }

    private bool TryCarryOut(VirtioChain chain, out Request request)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        request = default;
        if (chain.WritableLength == 0 || !chain.TryRead(0, header))
            return false;
        ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        ulong room = chain.WritableLength - 1; // the last byte is the status
        ulong now = (ulong)((UInt128)_clock.Now * NanosecondsInSecond / _clock.Frequency);
        ulong done = now;
        uint written = 0;
        byte status;
        switch (BinaryPrimitives.ReadUInt32LittleEndian(header))
        {
            case RequestRead:
                status = Read(chain, sector, room, now, ref done);
                written = status == StatusOk ? (uint)room : 0;
                break;
            case RequestWrite:
                status = Write(chain, sector, chain.ReadableLength - HeaderBytes, now, ref done);
                break;
            case RequestFlush:
                status = Answer(_storage.TryFlush());
                done = _timing.Complete(BlockOperation.Write, 0, 0, now);
                break;
            case RequestName:
                Span<byte> name = stackalloc byte[NameBytes];
                name.Clear();
                "mmu86"u8.CopyTo(name);
                written = (uint)Math.Min(room, NameBytes);
                status = chain.TryWrite(0, name[..(int)written]) ? StatusOk : StatusError;
                break;
            default:
                status = StatusUnsupported;
                break;
        }

        if (status != StatusOk)
            Counts.Refused++;
        if (!chain.TryWrite(room, [status]))
            return false;
        ulong ticks = (ulong)((((UInt128)done * _clock.Frequency) + NanosecondsInSecond - 1) / NanosecondsInSecond);
        request = new Request(Math.Max(ticks, _clock.Now + 1), chain.Head, written + 1);
        return true;
    }

    private byte Read(VirtioChain chain, ulong sector, ulong bytes, ulong now, ref ulong done)
    {
        if (!IsWithin(sector, bytes))
            return StatusError;
        Span<byte> data = Buffer((int)bytes);
        done = _timing.Complete(BlockOperation.Read, sector * SectorBytes, data.Length, now);
        Counts.Reads++;
        Counts.BytesRead += bytes;
        return Answer(_storage.TryRead(sector * SectorBytes, data)) == StatusOk && chain.TryWrite(0, data) ? StatusOk : StatusError;
    }

    private byte Write(VirtioChain chain, ulong sector, ulong bytes, ulong now, ref ulong done)
    {
        if (!IsWithin(sector, bytes))
            return StatusError;
        Span<byte> data = Buffer((int)bytes);
        if (!chain.TryRead(HeaderBytes, data))
            return StatusError;
        done = _timing.Complete(BlockOperation.Write, sector * SectorBytes, data.Length, now);
        Counts.Writes++;
        Counts.BytesWritten += bytes;
        return Answer(_storage.TryWrite(sector * SectorBytes, data));
    }

    private byte Answer(bool isDone)
    {
        if (isDone)
            return StatusOk;
        Counts.Failed++;
        return StatusError;
    }

    private bool IsWithin(ulong sector, ulong bytes)
    {
        ulong sectors = _storage.SizeInBytes / SectorBytes;
        return bytes % SectorBytes == 0 && bytes <= MostBytes && sector <= sectors && bytes / SectorBytes <= sectors - sector;
    }

    private Span<byte> Buffer(int bytes)
    {
        if (_buffer.Length < bytes)
            _buffer = new byte[bytes];
        return _buffer.AsSpan(0, bytes);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_isDue);
        writer.Write(_underWay.Count);
        foreach (Request request in _underWay)
        {
            writer.Write(request.DoneAt);
            writer.Write(request.Head);
            writer.Write(request.Written);
        }

        writer.WriteArray<ulong>([Counts.Reads, Counts.Writes, Counts.BytesRead, Counts.BytesWritten, Counts.Refused, Counts.Failed]);
        _timing.Save(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _isDue = reader.ReadBoolean("due");
        _underWay.Clear();
        ulong last = 0;
        for (int left = reader.ReadInt32("underWay", 0, VirtQueue.Size); left > 0; left--)
        {
            last = reader.ReadUInt64("doneAt", last, ulong.MaxValue);
            _underWay.Add(new Request(last, reader.ReadUInt16("head"), reader.ReadUInt32("written")));
            if (_underWay[^1].Head >= VirtQueue.Size)
                throw reader.Refuse("head", "is no descriptor");
        }

        Span<ulong> counts = stackalloc ulong[6];
        reader.ReadArray("counts", counts);
        (Counts.Reads, Counts.Writes, Counts.BytesRead, Counts.BytesWritten, Counts.Refused, Counts.Failed) =
            (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
        _timing.Load(reader);
    }

    private readonly record struct Request(ulong DoneAt, ushort Head, uint Written);
}
