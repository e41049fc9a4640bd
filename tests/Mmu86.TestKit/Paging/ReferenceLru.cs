namespace Mmu86.TestKit.Paging;

/// <summary>Least recently used: a list of ways in the order of their last use.</summary>
public sealed class ReferenceLru(int ways) : IReferencePolicy
{
    // The least recently used way is first.
    private readonly List<int> _order = [.. Enumerable.Range(0, ways)];

    /// <inheritdoc/>
    public void Hit(int way)
    {
        _order.Remove(way);
        _order.Add(way);
    }

    /// <inheritdoc/>
    public void Filled(int way) => Hit(way);

    /// <inheritdoc/>
    public int Victim() => _order[0];
}
