using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>One page size of one TLB array, or its coalesced entries: what a lookup reads, and what the statistics are kept for.</summary>
internal unsafe struct TlbLane
{
    /// <summary>Live entries of this size in the array: where it is 0, the array need not be probed for the size.</summary>
    public long Resident;

    // The part of the array that a lookup needs, here so that it is one step away and in one line of the real machine's cache.
    public ulong* Tags;
    public ulong* Data;
    public ulong SetMask;
    public int HashShift;

    /// <summary>Distance between the first entries of neighbouring sets; 0 where a lookup takes more than this lane says (<see cref="TlbLevel"/>).</summary>
    public int Stride;

    /// <summary>As in <see cref="TlbArray"/>.</summary>
    public int* Recent;

    /// <summary>As in <see cref="TlbArray"/>.</summary>
    public byte* SlotTables;

    public TlbArray* Array;

    /// <summary>The page size that is told and counted: of coalesced entries 4 KiB.</summary>
    public PageSize Size;

    /// <summary>Pages of <see cref="Size"/> in an entry: more than 1 of coalesced entries.</summary>
    public int Pages;

    /// <summary>Log2 of the bytes that an entry covers.</summary>
    public int Shift;

    /// <summary>The bits of an address that are the offset in what an entry covers.</summary>
    public ulong OffsetMask;
    public ulong Hits;
    public ulong Misses;
    public ulong Fills;
    public ulong Evictions;
    public ulong Invalidations;

    /// <summary>Slow lookups that the filter would have served, had it served this page size.</summary>
    public ulong Refused;

    /// <summary>Writes what was counted.</summary>
    public readonly void Save(StateWriter writer) => writer.WriteArray<ulong>([Hits, Misses, Fills, Evictions, Invalidations, Refused]);

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[6];
        reader.ReadArray("counts", counts);
        (Hits, Misses, Fills, Evictions, Invalidations, Refused) = (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
    }

    /// <summary>Says what an entry covers.</summary>
    public void Cover(PageSize size, int pages)
    {
        Size = size;
        Pages = pages;
        Shift = size.Shift() + System.Numerics.BitOperations.Log2((uint)pages);
        OffsetMask = (1UL << Shift) - 1;
    }
}
