using Mmu86.Paging;

namespace Mmu86.TestKit.Paging;

/// <summary>One level as a list of arrays, and the PCIDs that it keeps entries of.</summary>
public sealed class ReferenceTlbLevel(TlbLevelConfiguration configuration)
{
    // The one left last is last.
    private readonly List<ushort> _kept = [];

    /// <summary>Its arrays.</summary>
    public List<ReferenceTlbArray> Arrays { get; } = [.. configuration.Arrays.Select(array => new ReferenceTlbArray(array))];

    /// <summary>How it stands to the first level.</summary>
    public Inclusion Inclusion => configuration.Inclusion ?? Inclusion.NonInclusive;

    /// <summary>The arrays that some accesses see.</summary>
    public List<ReferenceTlbArray> ArraysFor(AccessesServed accesses) =>
        [.. Arrays.Where((_, i) => configuration.Arrays[i].Serves is not { } serves || serves == accesses)];

    /// <summary>Another PCID runs; where there are more than the level has slots for, the one left longest ago is dropped.</summary>
    /// <returns>The entries dropped.</returns>
    public IReadOnlyList<ReferenceTlbEntry> Leave(ushort left, ushort entered)
    {
        if (configuration.PcidSlots is not { } slots)
            return [];
        _kept.Remove(entered);
        _kept.Add(left);
        if (_kept.Count <= slots)
            return [];
        var dropped = new List<ReferenceTlbEntry>();
        foreach (ReferenceTlbArray array in Arrays)
        {
            array.Remove(entry =>
            {
                bool goes = !entry.IsGlobal && entry.Pcid == _kept[0];
                if (goes)
                    dropped.Add(entry);
                return goes;
            });
        }

        _kept.RemoveAt(0);
        return dropped;
    }
}
