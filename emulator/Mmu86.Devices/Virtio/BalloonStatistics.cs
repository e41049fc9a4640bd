using System.Buffers.Binary;

namespace Mmu86.Devices;

/// <summary>What a guest says about its memory: its word, null where it says nothing. VIRTIO 1.2, "Memory Statistics Tags".</summary>
public readonly record struct BalloonStatistics
{
    /// <summary>Bytes of an entry: a tag of 16 bits and a value of 64, packed.</summary>
    public const int EntryBytes = 10;

    /// <summary>Bytes swapped in by the guest so far.</summary>
    public ulong? SwappedInBytes { get; init; }

    /// <summary>Bytes swapped out by the guest so far.</summary>
    public ulong? SwappedOutBytes { get; init; }

    /// <summary>Page faults so far that needed the guest's disk.</summary>
    public ulong? MajorFaults { get; init; }

    /// <summary>Page faults so far that did not.</summary>
    public ulong? MinorFaults { get; init; }

    /// <summary>Bytes that are used for nothing.</summary>
    public ulong? FreeBytes { get; init; }

    /// <summary>Bytes that the guest has in all.</summary>
    public ulong? TotalBytes { get; init; }

    /// <summary>Bytes that programs could get without swapping.</summary>
    public ulong? AvailableBytes { get; init; }

    /// <summary>Bytes of caches of disks, that could be given up.</summary>
    public ulong? CacheBytes { get; init; }

    /// <summary>Reads the entries of a buffer. Unknown tags and a partial entry at the end are passed over; of a tag that is there twice the last counts.</summary>
    public static BalloonStatistics Parse(ReadOnlySpan<byte> buffer)
    {
        BalloonStatistics result = default;
        for (; buffer.Length >= EntryBytes; buffer = buffer[EntryBytes..])
        {
            ulong value = BinaryPrimitives.ReadUInt64LittleEndian(buffer[2..]);
            result = BinaryPrimitives.ReadUInt16LittleEndian(buffer) switch
            {
                0 => result with { SwappedInBytes = value },
                1 => result with { SwappedOutBytes = value },
                2 => result with { MajorFaults = value },
                3 => result with { MinorFaults = value },
                4 => result with { FreeBytes = value },
                5 => result with { TotalBytes = value },
                6 => result with { AvailableBytes = value },
                7 => result with { CacheBytes = value },
                _ => result,
            };
        }

        return result;
    }
}
