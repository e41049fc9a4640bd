using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Says which pages to walk for behind a miss.</summary>
/// <remarks>
/// Distance prefetching: Kandiraju and Sivasubramaniam, "Going the Distance for TLB Prefetching: An Application-Driven Study" (ISCA 2002). Distances are
/// between misses one after the other, in 4 KiB pages. A row of the table belongs to one distance and holds those that followed it, the
/// last first, as many as pages are prefetched.
/// </remarks>
internal sealed class Prefetcher
{
    private readonly PrefetchKind _kind;
    private readonly int _degree;
    private readonly Row[] _table;
    private readonly ulong[] _pages;
    private ulong _lastPage;
    private long _lastDistance;
    private int _misses;

    /// <summary>Makes a prefetcher that has seen nothing.</summary>
    public Prefetcher(PrefetchConfiguration configuration)
    {
        _kind = configuration.Kind;
        _degree = configuration.Degree;
        _pages = new ulong[_degree];
        _table = new Row[configuration.TableEntries ?? 0];
    }

    /// <summary>A miss was walked for.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="size">The size of its page.</param>
    /// <returns>An address in each page to walk for now, in order. Valid until the next call.</returns>
    public ReadOnlySpan<ulong> Predict(ulong address, PageSize size)
    {
        address &= ~size.OffsetMask();
        if (_kind == PrefetchKind.Distance)
            return PredictByDistance(address >> 12);
        for (int i = 0; i < _degree; i++)
            _pages[i] = address + ((ulong)(i + 1) << size.Shift());
        return _pages;
    }

    /// <summary>Writes what it has learnt.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_lastPage);
        writer.Write((ulong)_lastDistance);
        writer.Write(_misses);
        foreach (Row row in _table)
        {
            writer.Write((ulong)row.Distance);
            writer.Write(row.Following is not null);
            if (row.Following is not null)
                writer.WriteArray<long>(row.Following.AsSpan(0, row.Count));
        }
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        _lastPage = reader.ReadUInt64("lastPage");
        _lastDistance = (long)reader.ReadUInt64("lastDistance");
        _misses = reader.ReadInt32("misses", 0, 2);
        foreach (ref Row row in _table.AsSpan())
        {
            row.Distance = (long)reader.ReadUInt64("distance");
            if (!reader.ReadBoolean("hasFollowing"))
                continue;
            long[] following = reader.ReadArray<long>("following", _degree);
            row.Following = new long[_degree];
            following.CopyTo(row.Following, 0);
            row.Count = following.Length;
        }
    }

    private ReadOnlySpan<ulong> PredictByDistance(ulong page)
    {
        long distance = (long)(page - _lastPage);
        if (_misses >= 2)
            Learn(_lastDistance, distance);
        int count = 0;
        if (_misses >= 1)
        {
            ref Row row = ref RowOf(distance);
            if (row.Following is not null && row.Distance == distance)
            {
                for (; count < row.Count; count++)
                    _pages[count] = (page + (ulong)row.Following[count]) << 12;
            }
        }

        _lastDistance = distance;
        _lastPage = page;
        _misses = Math.Min(2, _misses + 1);
        return _pages.AsSpan(0, count);
    }

    private void Learn(long distance, long following)
    {
        ref Row row = ref RowOf(distance);
        row.Following ??= new long[_degree];
        if (row.Distance != distance)
            row.Count = 0;
        row.Distance = distance;
        int place = Array.IndexOf(row.Following, following, 0, row.Count);
        if (place < 0)
        {
            row.Count = Math.Min(_degree, row.Count + 1);
            place = row.Count - 1;
        }

        Array.Copy(row.Following, 0, row.Following, 1, place);
        row.Following[0] = following;
    }

    private ref Row RowOf(long distance) => ref _table[(ulong)distance % (ulong)_table.Length];

    private struct Row
    {
        public long Distance;
        public long[]? Following;
        public int Count;
    }
}
