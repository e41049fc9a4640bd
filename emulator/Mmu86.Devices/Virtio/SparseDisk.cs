using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A disk in our memory that begins as zeros and takes room only for what is written.</summary>
public sealed class SparseDisk : IBlockStorage
{
    private const int ClusterBytes = 65536;

    private readonly Dictionary<ulong, byte[]> _clusters = [];

    /// <summary>Makes an empty disk.</summary>
    /// <param name="sizeInBytes">A multiple of 512.</param>
    public SparseDisk(ulong sizeInBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(sizeInBytes % BlockDevice.SectorBytes, 0UL);
        SizeInBytes = sizeInBytes;
    }

    /// <inheritdoc/>
    public ulong SizeInBytes { get; }

    /// <summary>Bytes of our memory that it takes.</summary>
    public ulong BytesUsed => (ulong)_clusters.Count * ClusterBytes;

    /// <inheritdoc/>
    public bool TryRead(ulong offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            Span<byte> part = destination[..Part(offset, destination.Length)];
            if (_clusters.TryGetValue(offset / ClusterBytes, out byte[]? cluster))
                cluster.AsSpan((int)(offset % ClusterBytes), part.Length).CopyTo(part);
            else
                part.Clear();
            destination = destination[part.Length..];
            offset += (ulong)part.Length;
        }

        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(ulong offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            ReadOnlySpan<byte> part = source[..Part(offset, source.Length)];
            if (!_clusters.TryGetValue(offset / ClusterBytes, out byte[]? cluster))
            {
                cluster = new byte[ClusterBytes];
                _clusters.Add(offset / ClusterBytes, cluster);
            }

            part.CopyTo(cluster.AsSpan((int)(offset % ClusterBytes)));
            source = source[part.Length..];
            offset += (ulong)part.Length;
        }

        return true;
    }

    /// <inheritdoc/>
    public bool TryFlush() => true;

    private static int Part(ulong offset, int length) => Math.Min(length, ClusterBytes - (int)(offset % ClusterBytes));

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(_clusters.Count);
        foreach ((ulong number, byte[] cluster) in _clusters.OrderBy(pair => pair.Key))
        {
            writer.Write(number);
            writer.WriteArray<byte>(cluster);
        }
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _clusters.Clear();
        ulong next = 0;
        ulong clusters = (SizeInBytes + ClusterBytes - 1) / ClusterBytes;
        for (int left = reader.ReadInt32("clusters", 0, int.MaxValue); left > 0; left--)
        {
            ulong number = reader.ReadUInt64("cluster", next, clusters - 1);
            next = number + 1;
            byte[] bytes = new byte[ClusterBytes];
            reader.ReadArray<byte>("bytes", bytes);
            _clusters.Add(number, bytes);
        }
    }
}
