using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Timing;

/// <summary>The tags of one cache: which lines it holds, and which gives way.</summary>
/// <remarks>
/// With LRU the lines of a set stand in the order of their use, so a hit on the most recent one is a single comparison. With tree
/// pseudo-LRU they keep their ways, and a word a set holds the tree: a node points to the half that gives way.
/// </remarks>
public sealed class SetAssociativeCache
{
    private readonly int _ways;
    private readonly ulong _sets;
    private readonly ulong _setMask;
    private readonly int _lineShift;

    // Line number plus one; 0 where a way is empty.
    private readonly ulong[] _lines;

    // Of tree pseudo-LRU: the tree of each set, and for each way what points every node on its path away from it. Empty with LRU.
    private readonly ulong[] _trees = [];
    private readonly ulong[] _kept = [];
    private readonly ulong[] _away = [];

    /// <summary>Makes an empty cache.</summary>
    /// <param name="configuration">Its geometry, in order.</param>
    public SetAssociativeCache(CacheConfiguration configuration)
    {
        _ways = configuration.Ways;
        _lineShift = BitOperations.Log2((uint)configuration.LineBytes);
        _sets = (ulong)(configuration.SizeInBytes / configuration.LineBytes / configuration.Ways);
        _setMask = BitOperations.IsPow2(_sets) ? _sets - 1 : ulong.MaxValue;
        _lines = new ulong[checked((int)_sets * _ways)];
        Latency = configuration.LatencyCycles;
        if (configuration.Replacement != CacheReplacement.TreePlru)
            return;
        _trees = new ulong[_sets];
        _kept = new ulong[_ways];
        _away = new ulong[_ways];
        for (int way = 0; way < _ways; way++)
            (_kept[way], _away[way]) = Path(way);
    }

    /// <summary>Load to use of a hit, in cycles.</summary>
    public int Latency { get; }

    /// <summary>References made of it.</summary>
    public ulong References { get; private set; }

    /// <summary>References that it answered.</summary>
    public ulong Hits { get; private set; }

    /// <summary>References of walks among them.</summary>
    public ulong WalkReferences { get; private set; }

    /// <summary>References of walks that it answered.</summary>
    public ulong WalkHits { get; private set; }

    /// <summary>The line of a host-physical address.</summary>
    public ulong Line(ulong address) => address >> _lineShift;

    /// <summary>A load, store or fetch of a line. What was not there is filled.</summary>
    /// <returns>Whether it was there.</returns>
    public bool Refer(ulong line)
    {
        References++;
        if (!Touch(line))
            return false;
        Hits++;
        return true;
    }

    /// <summary>As <see cref="Refer"/>, for a walk.</summary>
    public bool ReferOfWalk(ulong line)
    {
        WalkReferences++;
        if (!Refer(line))
            return false;
        WalkHits++;
        return true;
    }

    /// <summary>Counts a hit on the line that was referred to last: touching it again changes nothing.</summary>
    public void ReferAgain()
    {
        References++;
        Hits++;
    }

    /// <summary>Remembers whatever a reference to a line may change.</summary>
    /// <returns>Puts that back as it was.</returns>
    public Action Remember(ulong line)
    {
        int first = First(line);
        ulong[] lines = _lines.AsSpan(first, _ways).ToArray();
        ulong tree = _trees.Length == 0 ? 0 : _trees[Set(line)];
        (ulong references, ulong hits, ulong walkReferences, ulong walkHits) = (References, Hits, WalkReferences, WalkHits);
        return () =>
        {
            lines.CopyTo(_lines, first);
            if (_trees.Length != 0)
                _trees[Set(line)] = tree;
            (References, Hits, WalkReferences, WalkHits) = (references, hits, walkReferences, walkHits);
        };
    }

    /// <summary>Writes the lines, which gives way, and what was counted.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<ulong>(_lines);
        writer.WriteArray<ulong>(_trees);
        writer.WriteArray<ulong>([References, Hits, WalkReferences, WalkHits]);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        reader.ReadArray<ulong>("lines", _lines);
        reader.ReadArray<ulong>("trees", _trees);
        Span<ulong> counts = stackalloc ulong[4];
        reader.ReadArray("counts", counts);
        (References, Hits, WalkReferences, WalkHits) = (counts[0], counts[1], counts[2], counts[3]);
    }

    /// <summary>Forgets every line. What was counted stays.</summary>
    public void Empty()
    {
        Array.Clear(_lines);
        Array.Clear(_trees);
    }

    private bool Touch(ulong line) => _trees.Length == 0 ? TouchOrdered(line) : TouchTree(line);

    private bool TouchOrdered(ulong line)
    {
        Span<ulong> set = _lines.AsSpan(First(line), _ways);
        ulong wanted = line + 1;
        if (set[0] == wanted)
            return true;
        ulong carried = set[0];
        for (int way = 1; way < set.Length; way++)
        {
            (set[way], carried) = (carried, set[way]);
            if (carried != wanted)
                continue;
            set[0] = wanted;
            return true;
        }

        set[0] = wanted;
        return false;
    }

    private bool TouchTree(ulong line)
    {
        ulong set = Set(line);
        Span<ulong> lines = _lines.AsSpan((int)set * _ways, _ways);
        int way = lines.IndexOf(line + 1);
        bool isThere = way >= 0;
        if (!isThere)
        {
            way = lines.IndexOf(0UL);
            if (way < 0)
                way = Victim(_trees[set]);
            lines[way] = line + 1;
        }

        _trees[set] = (_trees[set] & _kept[way]) | _away[way];
        return isThere;
    }

    private ulong Set(ulong line) => _setMask != ulong.MaxValue ? line & _setMask : line % _sets;

    private int First(ulong line) => (int)Set(line) * _ways;

    // Nodes are numbered from 1, children of n are 2n and 2n + 1, and behind the nodes come the ways. A set bit points to the second child.
    private int Victim(ulong tree)
    {
        int node = 1;
        while (node < _ways)
            node = (2 * node) + (int)((tree >> node) & 1);
        return node - _ways;
    }

    private (ulong Kept, ulong Away) Path(int way)
    {
        ulong kept = ulong.MaxValue;
        ulong away = 0;
        for (int node = way + _ways; node > 1; node >>= 1)
        {
            int parent = node >> 1;
            kept &= ~(1UL << parent);
            away |= (ulong)(~node & 1) << parent;
        }

        return (kept, away);
    }
}
