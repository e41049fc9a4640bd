namespace Mmu86.Devices;

/// <summary>A buffer that the driver has made available: what the device may read, and behind it what it may write.</summary>
public sealed class VirtioChain
{
    private readonly IDeviceMemory _memory;
    private readonly List<Segment> _readable = [];
    private readonly List<Segment> _writable = [];

    internal VirtioChain(IDeviceMemory memory, ushort head)
    {
        _memory = memory;
        Head = head;
    }

    /// <summary>The descriptor that names it in the rings.</summary>
    public ushort Head { get; }

    /// <summary>Bytes that the device may read.</summary>
    public ulong ReadableLength { get; private set; }

    /// <summary>Bytes that the device may write.</summary>
    public ulong WritableLength { get; private set; }

    /// <summary>The parts that the device may write, each as the driver described it: any address, any length.</summary>
    public IReadOnlyList<Segment> Writable => _writable;

    /// <summary>Copies from the readable part.</summary>
    /// <returns>False where it has too few bytes, or one of them is no RAM.</returns>
    public bool TryRead(ulong offset, Span<byte> destination)
    {
        foreach (Segment segment in _readable)
        {
            if (destination.IsEmpty)
                break;
            if (!Clip(segment, ref offset, destination.Length, out ulong address, out int length))
                continue;
            if (!_memory.TryRead(address, destination[..length]))
                return false;
            destination = destination[length..];
        }

        return destination.IsEmpty;
    }

    /// <summary>Copies into the writable part.</summary>
    /// <returns>False where it has too few bytes, or one of them is no RAM; something may have been written.</returns>
    public bool TryWrite(ulong offset, ReadOnlySpan<byte> source)
    {
        foreach (Segment segment in _writable)
        {
            if (source.IsEmpty)
                break;
            if (!Clip(segment, ref offset, source.Length, out ulong address, out int length))
                continue;
            if (!_memory.TryWrite(address, source[..length]))
                return false;
            source = source[length..];
        }

        return source.IsEmpty;
    }

    internal void Add(ulong address, uint length, bool isWritable)
    {
        (isWritable ? _writable : _readable).Add(new Segment(address, length));
        if (isWritable)
            WritableLength += length;
        else
            ReadableLength += length;
    }

    // The part of a segment that begins at an offset from it on. False where the offset is behind the segment.
    private static bool Clip(Segment segment, ref ulong offset, int wanted, out ulong address, out int length)
    {
        address = unchecked(segment.Address + offset);
        length = 0;
        if (offset >= segment.Length)
        {
            offset -= segment.Length;
            return false;
        }

        length = (int)Math.Min(segment.Length - offset, (ulong)wanted);
        offset = 0;
        return true;
    }

    /// <summary>A part of a buffer.</summary>
    /// <param name="Address">Guest-physical, unchecked.</param>
    /// <param name="Length">In bytes, unchecked.</param>
    public readonly record struct Segment(ulong Address, uint Length);
}
