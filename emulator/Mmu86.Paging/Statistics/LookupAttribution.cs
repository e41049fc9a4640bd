using System.Runtime.CompilerServices;
using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>Attributes to a page size the hits that the filter answered, of data accesses or of fetches.</summary>
/// <remarks>
/// Nobody counts those hits: they are the lookups that the CPU made less those that reached the MMU. To know their page size all
/// the same, the filter serves one lane (a page size of an array, or its coalesced entries) at a time; hits of others are looked up and counted. Where those
/// become the more frequent in data accesses, the lane is changed, at a moment when the CPU says how many lookups it made. Of fetches,
/// the lane is always that of the page from which the CPU fetches without looking up.
/// </remarks>
internal unsafe struct LookupAttribution
{
    // How many refused lookups make it worth asking the CPU for its count.
    private const ulong Patience = 256;

    private TlbLane* _admitted;
    private ulong _attributed;
    private ulong _refused;

    /// <summary>Lookups that reached the MMU.</summary>
    public ulong SlowLookups;

    /// <summary>Whether another lane may deserve the filter more.</summary>
    public readonly bool IsDue => _refused >= Patience;

    /// <summary>Whether the filter serves a lane. The first that asks is served.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Admits(TlbLane* lane) => lane == _admitted || AdmitsAnother(lane);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool AdmitsAnother(TlbLane* lane)
    {
        if (_admitted == null)
        {
            _admitted = lane;
            return true;
        }

        lane->Refused++;
        _refused++;
        return false;
    }

    /// <summary>The hits that the filter answered and that no lane has been given yet.</summary>
    /// <param name="lookups">All lookups that the CPU made so far.</param>
    public readonly ulong Outstanding(ulong lookups) => lookups - SlowLookups - _attributed;

    /// <summary>The lane they belong to, or null.</summary>
    public readonly TlbLane* Admitted => _admitted;

    /// <summary>Writes who is served and what was attributed.</summary>
    public readonly void Save(StateWriter writer, TlbLevel level)
    {
        writer.Write(level.NumberOf(_admitted));
        writer.Write(_attributed);
        writer.Write(_refused);
        writer.Write(SlowLookups);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader, TlbLevel level)
    {
        _admitted = level.ReadLane(reader, "admitted");
        _attributed = reader.ReadUInt64("attributed");
        _refused = reader.ReadUInt64("refused");
        SlowLookups = reader.ReadUInt64("slowLookups");
    }

    /// <summary>Gives the outstanding hits to the lane served so far, and serves another.</summary>
    /// <param name="lane">The lane that is served from now on.</param>
    /// <param name="lookups">All lookups that the CPU made so far.</param>
    public void Serve(TlbLane* lane, ulong lookups)
    {
        ulong outstanding = Outstanding(lookups);
        if (_admitted != null)
            _admitted->Hits += outstanding;
        _attributed += outstanding;
        _admitted = lane;
    }

    /// <summary>Gives the outstanding hits to the lane served, and serves the lane that was refused most, if it was refused oftener than that.</summary>
    /// <param name="lookups">All lookups that the CPU made so far.</param>
    /// <param name="level">The level of the lanes.</param>
    /// <returns>Whether the lane changed: the caller empties the filter.</returns>
    public bool Settle(ulong lookups, TlbLevel level)
    {
        ulong outstanding = Outstanding(lookups);
        if (_admitted != null)
            _admitted->Hits += outstanding;
        _attributed += outstanding;
        _refused = 0;
        TlbLane* best = null;
        for (int i = 0; i < level.ArrayCount; i++)
        {
            for (int size = 0; size < TlbArray.LaneCount; size++)
            {
                TlbLane* lane = level.Array(i)->Lane(size);
                if (lane == null)
                    continue;
                if (lane->Refused > outstanding && (best == null || lane->Refused > best->Refused))
                    best = lane;
            }
        }

        bool changes = best != null && best->Refused > outstanding;
        if (changes)
            _admitted = best;
        for (int i = 0; i < level.ArrayCount; i++)
        {
            for (int size = 0; size < TlbArray.LaneCount; size++)
            {
                TlbLane* lane = level.Array(i)->Lane(size);
                if (lane != null)
                    lane->Refused = 0;
            }
        }

        return changes;
    }
}
