namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>One fully associative LRU array as a list, most recent first.</summary>
internal sealed class LiteralFullyAssociative(int entries)
{
    private readonly LinkedList<(ulong Page, uint Space)> _order = new();
    private readonly Dictionary<(ulong Page, uint Space), LinkedListNode<(ulong Page, uint Space)>> _nodes = [];

    public long Misses { get; private set; }

    /// <summary>The page that the last access evicted.</summary>
    public (ulong Page, uint Space)? Evicted { get; private set; }

    public bool Holds(ulong page, uint space) => _nodes.ContainsKey((page, space));

    public void Apply(SweepEvent next)
    {
        switch (next.Kind)
        {
            case SweepEventKind.Access:
                Lookup((next.Page, next.Space));
                break;
            case SweepEventKind.InvalidatePage:
                if (_nodes.Remove((next.Page, next.Space), out LinkedListNode<(ulong Page, uint Space)>? invalid))
                    _order.Remove(invalid);
                break;
            case SweepEventKind.InvalidateSpace:
                Remove(key => key.Space == next.Space);
                break;
            case SweepEventKind.InvalidateAll:
                Remove(_ => true);
                break;
        }
    }

    private void Lookup((ulong Page, uint Space) key)
    {
        Evicted = null;
        if (_nodes.TryGetValue(key, out LinkedListNode<(ulong Page, uint Space)>? node))
        {
            _order.Remove(node);
            _order.AddFirst(node);
            return;
        }

        Misses++;
        if (_nodes.Count == entries)
        {
            Evicted = _order.Last!.Value;
            _nodes.Remove(_order.Last.Value);
            _order.RemoveLast();
        }

        _nodes.Add(key, _order.AddFirst(key));
    }

    private void Remove(Func<(ulong Page, uint Space), bool> isMeant)
    {
        foreach ((ulong Page, uint Space) key in _order.Where(isMeant).ToArray())
        {
            _order.Remove(_nodes[key]);
            _nodes.Remove(key);
        }
    }
}
