using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>What one owner has in the swap space, and what happened to its pages so far.</summary>
public sealed class SwapCounts
{
    /// <summary>Slots in use now.</summary>
    public ulong SlotsUsed { get; internal set; }

    /// <summary>Pages of zeros swapped out now: they have no slot.</summary>
    public ulong ZeroPages { get; internal set; }

    /// <summary>Pages in the compressed pool now.</summary>
    public ulong PooledPages { get; internal set; }

    /// <summary>What they take there, in bytes.</summary>
    public ulong PooledBytes { get; internal set; }

    /// <summary>Pages in memory now because their write failed.</summary>
    public ulong HeldPages { get; internal set; }

    /// <summary>Pages stored, those of zeros included.</summary>
    public ulong PagesOut { get; internal set; }

    /// <summary>Pages loaded, those of zeros included; failed loads are not.</summary>
    public ulong PagesIn { get; internal set; }

    /// <summary>Pages stored that were zeros.</summary>
    public ulong ZeroPagesOut { get; internal set; }

    /// <summary>Pages stored that went to the compressed pool.</summary>
    public ulong PagesCompressed { get; internal set; }

    /// <summary>Pages stored that did not shrink enough for it.</summary>
    public ulong PagesIncompressible { get; internal set; }

    /// <summary>Pages that the pool had to give to the device.</summary>
    public ulong PagesWrittenBack { get; internal set; }

    /// <summary>Pages loaded from the pool.</summary>
    public ulong PoolHits { get; internal set; }

    /// <summary>Pages loaded from a cluster that was not yet written, or whose write failed.</summary>
    public ulong WriteBufferHits { get; internal set; }

    /// <summary>Pages read because a neighbour was asked for.</summary>
    public ulong PagesReadAhead { get; internal set; }

    /// <summary>Pages loaded that had been read ahead.</summary>
    public ulong ReadAheadHits { get; internal set; }

    /// <summary>Writes that the device did.</summary>
    public ulong WriteOperations { get; internal set; }

    /// <summary>Bytes of those.</summary>
    public ulong BytesWritten { get; internal set; }

    /// <summary>Reads that the device did.</summary>
    public ulong ReadOperations { get; internal set; }

    /// <summary>Bytes of those.</summary>
    public ulong BytesRead { get; internal set; }

    /// <summary>Writes of the device that failed.</summary>
    public ulong WriteFailures { get; internal set; }

    /// <summary>Reads of the device that failed.</summary>
    public ulong ReadFailures { get; internal set; }

    /// <summary>Pages that were asked for and came back changed.</summary>
    public ulong ChecksumMismatches { get; internal set; }

    /// <summary>Adds another owner's.</summary>
    internal void Add(SwapCounts other)
    {
        SlotsUsed += other.SlotsUsed;
        ZeroPages += other.ZeroPages;
        PooledPages += other.PooledPages;
        PooledBytes += other.PooledBytes;
        HeldPages += other.HeldPages;
        PagesOut += other.PagesOut;
        PagesIn += other.PagesIn;
        ZeroPagesOut += other.ZeroPagesOut;
        PagesCompressed += other.PagesCompressed;
        PagesIncompressible += other.PagesIncompressible;
        PagesWrittenBack += other.PagesWrittenBack;
        PoolHits += other.PoolHits;
        WriteBufferHits += other.WriteBufferHits;
        PagesReadAhead += other.PagesReadAhead;
        ReadAheadHits += other.ReadAheadHits;
        WriteOperations += other.WriteOperations;
        BytesWritten += other.BytesWritten;
        ReadOperations += other.ReadOperations;
        BytesRead += other.BytesRead;
        WriteFailures += other.WriteFailures;
        ReadFailures += other.ReadFailures;
        ChecksumMismatches += other.ChecksumMismatches;
    }

    internal void Save(StateWriter writer) => writer.WriteArray<ulong>([
        SlotsUsed, ZeroPages, PooledPages, PooledBytes, HeldPages, PagesOut, PagesIn, ZeroPagesOut, PagesCompressed,
        PagesIncompressible, PagesWrittenBack, PoolHits, WriteBufferHits, PagesReadAhead, ReadAheadHits, WriteOperations,
        BytesWritten, ReadOperations, BytesRead, WriteFailures, ReadFailures, ChecksumMismatches]);

    internal void Load(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[22];
        reader.ReadArray("counts", counts);
        (SlotsUsed, ZeroPages, PooledPages, PooledBytes, HeldPages, PagesOut) = (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
        (PagesIn, ZeroPagesOut, PagesCompressed, PagesIncompressible, PagesWrittenBack, PoolHits) = (counts[6], counts[7], counts[8], counts[9], counts[10], counts[11]);
        (WriteBufferHits, PagesReadAhead, ReadAheadHits, WriteOperations, BytesWritten, ReadOperations) = (counts[12], counts[13], counts[14], counts[15], counts[16], counts[17]);
        (BytesRead, WriteFailures, ReadFailures, ChecksumMismatches) = (counts[18], counts[19], counts[20], counts[21]);
    }
}
