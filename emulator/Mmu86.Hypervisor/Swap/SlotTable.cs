namespace Mmu86.Hypervisor.Swap;

/// <summary>The entries of all slots, made a chunk at a time as slots are first used: a large device of which little is used costs little.</summary>
internal sealed class SlotTable
{
    private const int ChunkBits = 12;
    private const uint ChunkMask = (1u << ChunkBits) - 1;

    private readonly SlotEntry[]?[] _chunks;

    /// <summary>Makes a table of free slots.</summary>
    public SlotTable(uint slots)
    {
        Count = slots;
        _chunks = new SlotEntry[]?[(slots + ChunkMask) >> ChunkBits];
    }

    /// <summary>Slots, used or not.</summary>
    public uint Count { get; }

    /// <summary>The entry of a slot.</summary>
    public ref SlotEntry this[uint slot] => ref (_chunks[slot >> ChunkBits] ??= new SlotEntry[ChunkMask + 1])[slot & ChunkMask];

    /// <summary>The slots of an owner in ascending order. They may be changed meanwhile.</summary>
    public IEnumerable<uint> OwnedBy(int owner)
    {
        for (uint chunk = 0; chunk < _chunks.Length; chunk++)
        {
            if (_chunks[chunk] is not { } entries)
                continue;
            for (uint i = 0; i < entries.Length; i++)
            {
                if (entries[i].Owner == owner && entries[i].State is not (SlotState.Free or SlotState.Draining))
                    yield return (chunk << ChunkBits) + i;
            }
        }
    }
}
