using System.Buffers.Binary;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>Gathers frames of guest memory into sections. A frame of zeros is left out: memory begins as zeros.</summary>
/// <param name="writer">Where the sections go.</param>
public sealed class PageSectionWriter(SnapshotWriter writer)
{
    /// <summary>Frames of one section: 1 MiB of bytes.</summary>
    internal const int MostFrames = 256;

    private readonly byte[] _section = new byte[sizeof(uint) + (MostFrames * (sizeof(ulong) + 4096))];
    private readonly ulong[] _frames = new ulong[MostFrames];
    private readonly byte[] _bytes = new byte[MostFrames * 4096];
    private int _count;

    /// <summary>Adds a frame.</summary>
    /// <param name="frame">Its guest-physical frame number.</param>
    /// <param name="bytes">4096 bytes.</param>
    public void Add(ulong frame, ReadOnlySpan<byte> bytes)
    {
        if (!bytes.ContainsAnyExcept((byte)0))
            return;
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
        writer.Write(SnapshotFormat.Pages, _section.AsSpan(0, at + (_count * 4096)));
        _count = 0;
    }
}
