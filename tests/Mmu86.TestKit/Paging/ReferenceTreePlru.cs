namespace Mmu86.TestKit.Paging;

/// <summary>Tree pseudo-LRU by its recursive definition.</summary>
/// <remarks>
/// A tree over one way is that way. A tree over more is two trees over half of the ways each, and a bit that names the half in
/// which the next victim is sought. A use of a way makes the bit name the other half, and is a use in the half it lies in.
/// </remarks>
public sealed class ReferenceTreePlru : IReferencePolicy
{
    private readonly int _half;
    private readonly ReferenceTreePlru? _low;
    private readonly ReferenceTreePlru? _high;
    private bool _victimIsHigh;

    /// <summary>Makes a tree whose first victim is way 0.</summary>
    /// <param name="ways">A power of two.</param>
    public ReferenceTreePlru(int ways)
    {
        if (ways == 1)
            return;
        _half = ways / 2;
        _low = new ReferenceTreePlru(_half);
        _high = new ReferenceTreePlru(_half);
    }

    /// <inheritdoc/>
    public void Hit(int way)
    {
        if (_low is null)
            return;
        _victimIsHigh = way < _half;
        if (way < _half)
            _low.Hit(way);
        else
            _high!.Hit(way - _half);
    }

    /// <inheritdoc/>
    public void Filled(int way) => Hit(way);

    /// <inheritdoc/>
    public int Victim()
    {
        if (_low is null)
            return 0;
        return _victimIsHigh ? _half + _high!.Victim() : _low.Victim();
    }
}
