namespace Mmu86.TestKit.Paging;

/// <summary>Three tree-PLRUs of a third of the ways each; the victim is sought in the group after the one used last: (MRU+1) mod 3.</summary>
public sealed class ReferenceMru3Plru(int ways) : IReferencePolicy
{
    private readonly int _groupWays = ways / 3;
    private readonly ReferenceTreePlru[] _groups = [new(ways / 3), new(ways / 3), new(ways / 3)];
    private int _lastGroup;

    /// <inheritdoc/>
    public void Hit(int way)
    {
        _lastGroup = way / _groupWays;
        _groups[_lastGroup].Hit(way % _groupWays);
    }

    /// <inheritdoc/>
    public void Filled(int way) => Hit(way);

    /// <inheritdoc/>
    public int Victim()
    {
        int group = (_lastGroup + 1) % 3;
        return (group * _groupWays) + _groups[group].Victim();
    }
}
