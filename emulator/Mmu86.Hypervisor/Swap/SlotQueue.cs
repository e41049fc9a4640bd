using System.Diagnostics.CodeAnalysis;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Things kept by slot, in the order in which they came.</summary>
internal sealed class SlotQueue<T>
{
    private readonly Dictionary<uint, LinkedListNode<(uint Slot, T Thing)>> _bySlot = [];
    private readonly LinkedList<(uint Slot, T Thing)> _byAge = [];

    /// <summary>How many there are.</summary>
    public int Count => _bySlot.Count;

    /// <summary>The slot of the oldest. There must be one.</summary>
    public uint Oldest => _byAge.First!.Value.Slot;

    /// <summary>All of them, the oldest first.</summary>
    public IEnumerable<(uint Slot, T Thing)> ByAge => _byAge;

    /// <summary>Whether a slot has one.</summary>
    public bool Contains(uint slot) => _bySlot.ContainsKey(slot);

    /// <summary>Adds one to a slot that has none.</summary>
    public void Add(uint slot, T thing) => _bySlot.Add(slot, _byAge.AddLast((slot, thing)));

    /// <summary>That of a slot.</summary>
    public bool TryGet(uint slot, [MaybeNullWhen(false)] out T thing)
    {
        bool isThere = _bySlot.TryGetValue(slot, out LinkedListNode<(uint Slot, T Thing)>? node);
        thing = isThere ? node!.Value.Thing : default;
        return isThere;
    }

    /// <summary>Takes that of a slot away.</summary>
    public bool TryRemove(uint slot, [MaybeNullWhen(false)] out T thing)
    {
        thing = default;
        if (!_bySlot.Remove(slot, out LinkedListNode<(uint Slot, T Thing)>? node))
            return false;
        thing = node.Value.Thing;
        _byAge.Remove(node);
        return true;
    }
}
