using Mmu86.Timing;

namespace Mmu86.Tests.Timing;

/// <summary>A cache as a textbook draws it, slow and without tricks: the judge of <see cref="SetAssociativeCache"/>.</summary>
internal sealed class LiteralCache(CacheConfiguration configuration)
{
    private readonly Dictionary<ulong, Set> _sets = [];

    public int Latency => configuration.LatencyCycles;

    public ulong References { get; private set; }

    public ulong Hits { get; private set; }

    public ulong WalkReferences { get; private set; }

    public ulong WalkHits { get; private set; }

    public bool Refer(ulong address, bool isWalk)
    {
        bool hit = SetOf(address).Touch(address / (ulong)configuration.LineBytes);
        References++;
        Hits += hit ? 1u : 0;
        WalkReferences += isWalk ? 1u : 0;
        WalkHits += isWalk && hit ? 1u : 0;
        return hit;
    }

    public bool Holds(ulong address) => SetOf(address).Ways.Contains(address / (ulong)configuration.LineBytes);

    private Set SetOf(ulong address)
    {
        ulong line = address / (ulong)configuration.LineBytes;
        ulong sets = (ulong)configuration.SizeInBytes / (ulong)configuration.LineBytes / (ulong)configuration.Ways;
        if (!_sets.TryGetValue(line % sets, out Set? set))
            _sets.Add(line % sets, set = new Set(configuration.Ways, configuration.Replacement));
        return set;
    }

    private sealed class Set(int ways, CacheReplacement replacement)
    {
        private readonly List<int> _order = [.. Enumerable.Range(0, ways)]; // least recent first
        private readonly Node? _tree = replacement == CacheReplacement.TreePlru ? Node.Over(0, ways) : null;

        public ulong?[] Ways { get; } = new ulong?[ways];

        public bool Touch(ulong line)
        {
            int way = Array.IndexOf(Ways, line);
            bool hit = way >= 0;
            if (!hit)
            {
                way = Array.IndexOf(Ways, null);
                if (way < 0)
                    way = _tree?.Victim() ?? _order[0];
                Ways[way] = line;
            }

            _order.Remove(way);
            _order.Add(way);
            _tree?.PointAwayFrom(way);
            return hit;
        }
    }

    // A node of the tree over ways [from, from + count): the half that was not used last gives way.
    private sealed class Node(int from, int count, Node? left, Node? right)
    {
        private bool _rightGivesWay;

        public static Node? Over(int from, int count) =>
            count == 1 ? null : new Node(from, count, Over(from, count / 2), Over(from + (count / 2), count / 2));

        public int Victim()
        {
            int half = from + (_rightGivesWay ? count / 2 : 0);
            return (_rightGivesWay ? right : left)?.Victim() ?? half;
        }

        public void PointAwayFrom(int way)
        {
            _rightGivesWay = way < from + (count / 2);
            (_rightGivesWay ? left : right)?.PointAwayFrom(way);
        }
    }
}
