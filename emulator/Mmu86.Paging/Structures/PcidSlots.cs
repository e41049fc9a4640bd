using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>How many address spaces a level keeps entries of beside the running one.</summary>
/// <remarks>Which slot an address space has is not modelled, only how many there are: the space left longest ago loses its entries.</remarks>
internal sealed class PcidSlots(TlbLevel level, int slots)
{
    // Indices of address spaces, the one left last first.
    private readonly List<int> _kept = [];

    /// <summary>The level.</summary>
    public TlbLevel Level => level;

    /// <summary>Another address space runs.</summary>
    /// <param name="left">The index of the one that ran.</param>
    /// <param name="entered">The index of the one that runs.</param>
    /// <param name="spaces">What the indices mean.</param>
    /// <returns>The tag of the space that lost its entries, or 0.</returns>
    public uint Switch(int left, int entered, AddressSpaces spaces)
    {
        _kept.Remove(entered);
        _kept.Insert(0, left);
        if (_kept.Count <= slots)
            return 0;
        uint tag = spaces[_kept[^1]].TlbTag;
        level.RemoveSpace(tag);
        _kept.RemoveAt(_kept.Count - 1);
        return tag;
    }

    /// <summary>Writes who has entries.</summary>
    public void Save(StateWriter writer) => writer.WriteArray<int>(_kept.ToArray());

    /// <summary>Reads it back.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="spaces">How many address spaces there are.</param>
    public void Load(StateReader reader, int spaces)
    {
        _kept.Clear();
        _kept.AddRange(reader.ReadArray<int>("pcidSlots", slots));
        if (_kept.Exists(index => index < 0 || index >= spaces))
            throw reader.Refuse("pcidSlots", "names a space that there is not");
    }

    /// <summary>No address space has entries any more.</summary>
    public void Forget() => _kept.Clear();
}
