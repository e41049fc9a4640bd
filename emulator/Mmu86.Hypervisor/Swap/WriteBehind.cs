using System.Diagnostics;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Gathers neighbouring pages into clusters and writes them. The device works when it likes; what came of a write is learnt at its simulated completion and not before.</summary>
internal sealed class WriteBehind(ISwapDevice device, ISwapTiming timing, int clusterPages, int clusters, Action<WriteCluster, SwapStatus> written)
{
    private readonly List<WriteCluster> _open = [];

    // In the order in which they were handed to the device.
    private readonly List<WriteCluster> _underWay = [];
    private readonly Stack<WriteCluster> _spare = [];
    private int _made;
    private ulong _nextCompletion = ulong.MaxValue;

    /// <summary>Whether a cluster is gathered or written.</summary>
    public bool IsBusy => _open.Count + _underWay.Count != 0;

    /// <summary>Adds a page. Its owner's cluster is handed to the device when it is full or when the page is not its next.</summary>
    /// <returns>When whoever stored it may go on: later than now if all clusters were in use, for then the first to be complete is waited for.</returns>
    public ulong Append(SwapOwner owner, uint slot, ReadOnlySpan<byte> page, ulong now)
    {
        if (owner.Open is { } other && !other.IsNext(slot))
            Submit(other, now);
        if (owner.Open is not { } cluster)
        {
            now = Take(now, out cluster);
            cluster.Begin(owner, slot);
            owner.Open = cluster;
            _open.Add(cluster);
        }

        cluster.Add(page);
        if (cluster.IsFull)
            Submit(cluster, now);
        return now;
    }

    /// <summary>Hands everything gathered to the device.</summary>
    /// <returns>When all that is under way will be complete; now, if nothing is.</returns>
    public ulong Submit(ulong now)
    {
        while (_open.Count != 0)
            Submit(_open[0], now);
        foreach (WriteCluster cluster in _underWay)
            now = Math.Max(now, cluster.CompleteAt);
        return now;
    }

    /// <summary>Learns what came of all writes that are complete at a moment.</summary>
    public void Settle(ulong now)
    {
        if (now < _nextCompletion)
            return;
        for (int i = 0; i < _underWay.Count;)
        {
            if (_underWay[i].CompleteAt <= now)
                Join(i);
            else
                i++;
        }
    }

    /// <summary>The page of a slot that is gathered or written, which must be one.</summary>
    public ReadOnlySpan<byte> Page(uint slot)
    {
        foreach (WriteCluster cluster in _open)
        {
            if (cluster.Contains(slot))
                return cluster.PageOf(slot);
        }

        foreach (WriteCluster cluster in _underWay)
        {
            if (cluster.Contains(slot))
                return cluster.PageOf(slot);
        }

        throw new UnreachableException();
    }

    /// <summary>Writes what is gathered and what is written, with its bytes.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_open.Count);
        _open.ForEach(cluster => cluster.Save(writer));
        writer.Write(_underWay.Count);
        _underWay.ForEach(cluster => cluster.Save(writer));
    }

    /// <summary>Reads it back where nothing is gathered or written. Writes under way begin anew on the device; they are complete when they would have been.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="ownerOf">The owner of a number.</param>
    /// <param name="page">Told each slot and its owner; it refuses one that cannot be here.</param>
    public void Load(StateReader reader, Func<int, SwapOwner> ownerOf, Action<uint, SwapOwner> page)
    {
        for (int left = reader.ReadInt32("gathered", 0, clusters); left > 0; left--)
        {
            WriteCluster cluster = LoadCluster(reader, ownerOf, page);
            if (cluster.Owner.Open is not null)
                throw reader.Refuse("owner", $"{cluster.Owner.Number} gathers two clusters");
            cluster.Owner.Open = cluster;
            _open.Add(cluster);
        }

        for (int left = reader.ReadInt32("underWay", 0, clusters - _open.Count); left > 0; left--)
        {
            WriteCluster cluster = LoadCluster(reader, ownerOf, page);
            cluster.Ticket = device.BeginWrite(cluster.Offset, cluster.Bytes);
            _underWay.Add(cluster);
            _nextCompletion = Math.Min(_nextCompletion, cluster.CompleteAt);
        }
    }

    private WriteCluster LoadCluster(StateReader reader, Func<int, SwapOwner> ownerOf, Action<uint, SwapOwner> page)
    {
        var cluster = new WriteCluster(clusterPages);
        _made++;
        cluster.Load(reader, ownerOf);
        for (int i = 0; i < cluster.Pages; i++)
            page(cluster.Slot(i), cluster.Owner);
        return cluster;
    }

    private void Submit(WriteCluster cluster, ulong now)
    {
        _open.Remove(cluster);
        cluster.Owner.Open = null;
        cluster.CompleteAt = timing.Complete(SwapOperation.Write, cluster.Offset, cluster.Bytes.Length, now);
        cluster.Ticket = device.BeginWrite(cluster.Offset, cluster.Bytes);
        _underWay.Add(cluster);
        _nextCompletion = Math.Min(_nextCompletion, cluster.CompleteAt);
    }

    private ulong Take(ulong now, out WriteCluster cluster)
    {
        if (_spare.Count == 0 && _made == clusters)
        {
            if (_underWay.Count == 0)
                Submit(_open[0], now);
            int first = 0;
            for (int i = 1; i < _underWay.Count; i++)
            {
                if (_underWay[i].CompleteAt < _underWay[first].CompleteAt)
                    first = i;
            }

            now = Math.Max(now, _underWay[first].CompleteAt);
            Join(first);
        }

        if (!_spare.TryPop(out cluster!))
        {
            cluster = new WriteCluster(clusterPages);
            _made++;
        }

        return now;
    }

    private void Join(int index)
    {
        WriteCluster cluster = _underWay[index];
        _underWay.RemoveAt(index);
        _nextCompletion = ulong.MaxValue;
        foreach (WriteCluster left in _underWay)
            _nextCompletion = Math.Min(_nextCompletion, left.CompleteAt);
        written(cluster, device.FinishWrite(cluster.Ticket));
        _spare.Push(cluster);
    }
}
