namespace Mmu86.Hypervisor.Swap;

/// <summary>How a swap space works.</summary>
public sealed record SwapSpaceOptions
{
    /// <summary>As Linux sets out: clusters of 16 pages, up to 8 pages read at once, no compressed pool.</summary>
    public static SwapSpaceOptions Standard { get; } = new()
    {
        CompressedPoolBytes = 0,
        CompressNanoseconds = 5_000,
        DecompressNanoseconds = 2_000,
        ClusterPages = 16,
        ClustersUnderWay = 64,
        ReadAheadPages = 8,
        ReadAheadCachePages = 512,
        HeldPages = 1024,
    };

    /// <summary>Bytes of compressed pages that are kept in memory before they go to the device; 0: none are.</summary>
    public required ulong CompressedPoolBytes { get; init; }

    /// <summary>What compressing a page takes in virtual time.</summary>
    public required ulong CompressNanoseconds { get; init; }

    /// <summary>What decompressing a page takes in virtual time.</summary>
    public required ulong DecompressNanoseconds { get; init; }

    /// <summary>The most neighbouring pages that are written at once, 1 to 64.</summary>
    public required int ClusterPages { get; init; }

    /// <summary>Clusters that may be gathered or written at one time, at least 1; who stores more waits for one to be written.</summary>
    public required int ClustersUnderWay { get; init; }

    /// <summary>The most pages that are read at once, a power of two up to 64; 1: no read-ahead.</summary>
    public required int ReadAheadPages { get; init; }

    /// <summary>Pages read ahead that are kept; the oldest make room.</summary>
    public required int ReadAheadCachePages { get; init; }

    /// <summary>Pages kept in memory because their write failed. With as many, nothing more is stored until writes go well again.</summary>
    public required int HeldPages { get; init; }

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ClusterPages, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ClusterPages, SlotAllocator.ClusterSlots);
        ArgumentOutOfRangeException.ThrowIfLessThan(ClustersUnderWay, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ReadAheadPages, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ReadAheadPages, SlotAllocator.ClusterSlots);
        if (!int.IsPow2(ReadAheadPages))
            throw new ArgumentOutOfRangeException(nameof(ReadAheadPages), ReadAheadPages, "It must be a power of two.");
        ArgumentOutOfRangeException.ThrowIfLessThan(ReadAheadCachePages, ReadAheadPages);
        ArgumentOutOfRangeException.ThrowIfLessThan(HeldPages, 1);
    }
}
