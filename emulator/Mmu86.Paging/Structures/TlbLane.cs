using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>One page size of one TLB array: what the statistics are kept for.</summary>
internal unsafe struct TlbLane
{
    public TlbArray* Array;
    public PageSize Size;

    /// <summary>Live entries of this size in the array: where it is 0, the array need not be probed for the size.</summary>
    public long Resident;

    public ulong Hits;
    public ulong Misses;
    public ulong Fills;
    public ulong Evictions;
    public ulong Invalidations;

    /// <summary>Slow lookups that the filter would have served, had it served this page size.</summary>
    public ulong Refused;
}
