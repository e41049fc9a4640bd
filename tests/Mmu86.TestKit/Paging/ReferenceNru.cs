namespace Mmu86.TestKit.Paging;

/// <summary>Not recently used: the ways used since they were last cleared; the use that would make it all of them clears the others.</summary>
public sealed class ReferenceNru(int ways) : IReferencePolicy
{
    private readonly HashSet<int> _used = [];

    /// <inheritdoc/>
    public void Hit(int way)
    {
        _used.Add(way);
        if (_used.Count == ways)
            _used.RemoveWhere(other => other != way);
    }

    /// <inheritdoc/>
    public void Filled(int way) => Hit(way);

    /// <inheritdoc/>
    public int Victim() => Enumerable.Range(0, ways).FirstOrDefault(way => !_used.Contains(way));
}
