using System.Buffers.Binary;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>Gathers frames of guest memory into sections. A frame of zeros is left out: memory begins as zeros.</summary>
public sealed class PageSectionWriter
{
    /// <summary>Frames of one section: 1 MiB of bytes.</summary>
    internal const int MostFrames = 256;

    private readonly byte[] _section = new byte[sizeof(uint) + (MostFrames * (sizeof(ulong) + 4096))];
    private readonly ulong[] _frames = new ulong[MostFrames];
    private readonly byte[] _bytes = new byte[MostFrames * 4096];
    private readonly SnapshotWriter _writer;
    private readonly string _name;
    private int _count;

    /// <summary>Gathers frames of memory.</summary>
    /// <param name="writer">Where the sections go.</param>
    public PageSectionWriter(SnapshotWriter writer)
        : this(writer, SnapshotFormat.Pages)
    {
    }

    /// <summary>Gathers pages of another kind.</summary>
    /// <param name="writer">Where the sections go.</param>
    /// <param name="name">Their name.</param>
    internal PageSectionWriter(SnapshotWriter writer, string name)
    {
        _writer = writer;
        _name = name;
    }

    /// <summary>Adds a frame, unless it is zero.</summary>
    /// <param name="frame">Its number.</param>
    /// <param name="bytes">4096 bytes.</param>
    public void Add(ulong frame, ReadOnlySpan<byte> bytes)
    {
        if (bytes.ContainsAnyExcept((byte)0))
            Put(frame, bytes);
    }

    /// <summary>Adds a page in any case.</summary>
    internal void Put(ulong frame, ReadOnlySpan<byte> bytes)
    {
        _frames[_count] = frame;
        bytes.CopyTo(_bytes.AsSpan(_count * 4096));
        if (++_count == MostFrames)
            Flush();
    }

    /// <summary>Writes what is left.</summary>
    public void Flush()
    {
        if (_count == 0)
            return;
        BinaryPrimitives.WriteUInt32LittleEndian(_section, (uint)_count);
        int at = sizeof(uint);
        for (int i = 0; i < _count; i++, at += sizeof(ulong))
            BinaryPrimitives.WriteUInt64LittleEndian(_section.AsSpan(at), _frames[i]);
        _bytes.AsSpan(0, _count * 4096).CopyTo(_section.AsSpan(at));
        _writer.Write(_name, _section.AsSpan(0, at + (_count * 4096)));
        _count = 0;
    }
}
