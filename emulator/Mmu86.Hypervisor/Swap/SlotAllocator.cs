using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Gives out slots. An owner fills a cluster of 64 by itself, in ascending order, as long as the device has wholly free ones; then what is left anywhere.</summary>
internal sealed class SlotAllocator
{
    /// <summary>Slots of a cluster: the bits of a word.</summary>
    public const int ClusterSlots = 64;

    // A set bit is a free slot.
    private readonly ulong[] _free;

    // Who filled a cluster last: another owner's cursor there is stale.
    private readonly int[] _holders;
    private int _wholeClusters;
    private int _search;

    /// <summary>Makes all slots free.</summary>
    public SlotAllocator(uint slots)
    {
        _free = new ulong[(slots + ClusterSlots - 1) / ClusterSlots];
        _holders = new int[_free.Length];
        _free.AsSpan().Fill(ulong.MaxValue);
        int rest = (int)(slots % ClusterSlots);
        if (rest != 0)
            _free[^1] = (1UL << rest) - 1;
        _wholeClusters = _free.Length - (rest != 0 ? 1 : 0);
        Free = slots;
    }

    /// <summary>Slots that nobody has.</summary>
    public uint Free { get; private set; }

    /// <summary>Takes a slot behind the owner's last one if that is free.</summary>
    /// <returns>False where none is free.</returns>
    public bool TryTake(int owner, ref SlotCursor cursor, out uint slot)
    {
        slot = 0;
        if (Free == 0)
            return false;
        ulong behind = cursor.Cluster >= 0 && _holders[cursor.Cluster] == owner && cursor.Next < ClusterSlots
            ? _free[cursor.Cluster] & (ulong.MaxValue << cursor.Next)
            : 0;
        if (behind == 0)
        {
            cursor.Cluster = Search();
            _holders[cursor.Cluster] = owner;
            behind = _free[cursor.Cluster];
        }

        int bit = BitOperations.TrailingZeroCount(behind);
        if (_free[cursor.Cluster] == ulong.MaxValue)
            _wholeClusters--;
        _free[cursor.Cluster] &= ~(1UL << bit);
        cursor.Next = bit + 1;
        Free--;
        slot = ((uint)cursor.Cluster * ClusterSlots) + (uint)bit;
        return true;
    }

    /// <summary>Takes a slot back.</summary>
    public void Return(uint slot)
    {
        ref ulong cluster = ref _free[slot / ClusterSlots];
        cluster |= 1UL << (int)(slot % ClusterSlots);
        if (cluster == ulong.MaxValue)
            _wholeClusters++;
        Free++;
    }

    /// <summary>Writes what the table of slots does not say: who filled which cluster, and where the next is looked for.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<int>(_holders);
        writer.Write(_search);
    }

    /// <summary>Reads it back into one of which every slot is free.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="taken">The slots that somebody has, ascending.</param>
    public void Load(StateReader reader, IEnumerable<uint> taken)
    {
        reader.ReadArray<int>("holders", _holders);
        _search = reader.ReadInt32("search", 0, _free.Length - 1);
        foreach (uint slot in taken)
        {
            ref ulong cluster = ref _free[slot / ClusterSlots];
            if (cluster == ulong.MaxValue)
                _wholeClusters--;
            cluster &= ~(1UL << (int)(slot % ClusterSlots));
            Free--;
        }
    }

    /// <summary>Clusters of the device.</summary>
    public int Clusters => _free.Length;

    // A wholly free cluster if there is one, else one with a free slot, which there is. It goes round, so that a slot rests before it is used again.
    private int Search()
    {
        bool wantsWhole = _wholeClusters != 0;
        int found = Find(_free.AsSpan(_search), wantsWhole);
        found = found >= 0 ? _search + found : Find(_free, wantsWhole);
        _search = (found + 1) % _free.Length;
        return found;
    }

    private static int Find(ReadOnlySpan<ulong> clusters, bool wantsWhole) =>
        wantsWhole ? clusters.IndexOf(ulong.MaxValue) : clusters.IndexOfAnyExcept(0UL);
}
