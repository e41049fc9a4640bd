namespace Mmu86.TestKit.Paging;

/// <summary>First in, first out: a list of ways in the order in which they were filled. A hit changes nothing.</summary>
public sealed class ReferenceFifo(int ways) : IReferencePolicy
{
    // The way filled longest ago is first.
    private readonly List<int> _order = [.. Enumerable.Range(0, ways)];

    /// <inheritdoc/>
    public void Hit(int way)
    {
    }

    /// <inheritdoc/>
    public void Filled(int way)
    {
        _order.Remove(way);
        _order.Add(way);
    }

    /// <inheritdoc/>
    public int Victim() => _order[0];
}
