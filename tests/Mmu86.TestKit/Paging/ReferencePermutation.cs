namespace Mmu86.TestKit.Paging;

/// <summary>A permutation policy: a list of ways whose first is the next victim, made anew by every use.</summary>
/// <param name="ways">Ways.</param>
/// <param name="permutations">One for a hit at each position, and one for a fill.</param>
public sealed class ReferencePermutation(int ways, IReadOnlyList<IReadOnlyList<int>> permutations) : IReferencePolicy
{
    private List<int> _list = [.. Enumerable.Range(0, ways)];

    /// <inheritdoc/>
    public void Hit(int way) => Apply(permutations[_list.IndexOf(way)]);

    /// <inheritdoc/>
    public void Filled(int way)
    {
        // Fills that are hits in all but name are so for a way that was emptied in the middle of the list as well.
        if (permutations[0].SequenceEqual(permutations[ways]))
        {
            Hit(way);
            return;
        }

        _list.Remove(way);
        _list.Insert(0, way);
        Apply(permutations[ways]);
    }

    /// <inheritdoc/>
    public int Victim() => _list[0];

    private void Apply(IReadOnlyList<int> permutation) => _list = [.. permutation.Select(position => _list[position])];
}
