using Mmu86.Memory;

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

    /// <summary>The slots that are not free, in ascending order.</summary>
    public IEnumerable<uint> Used => Known().Where(slot => this[slot].State != SlotState.Free);

    /// <summary>Writes what is known of every slot that was ever given out.</summary>
    public void Save(StateWriter writer)
    {
        uint[] known = [.. Known()];
        writer.Write(known.Length);
        foreach (uint slot in known)
        {
            SlotEntry entry = this[slot];
            writer.Write(slot);
            writer.Write((byte)entry.State);
            writer.Write(entry.Owner);
            writer.Write(entry.Generation);
            writer.Write(entry.Checksum);
        }
    }

    /// <summary>Reads it back into a table of free slots.</summary>
    public void Load(StateReader reader)
    {
        uint next = 0;
        for (int left = reader.ReadInt32("slots", 0, (int)Count); left > 0; left--)
        {
            uint slot = reader.ReadUInt32("slot");
            if (slot < next || slot >= Count)
                throw reader.Refuse("slot", $"is {slot}, and the device has {Count} in ascending order");
            next = slot + 1;
            var state = (SlotState)reader.ReadByte("slotState");
            if (state > SlotState.Held)
                throw reader.Refuse("slotState", "is none that there is");
            this[slot] = new SlotEntry
            {
                State = state,
                Owner = reader.ReadInt32("slotOwner", 0, int.MaxValue),
                Generation = reader.ReadUInt32("slotGeneration"),
                Checksum = reader.ReadUInt64("slotChecksum"),
            };
            if (this[slot].Generation is 0 or > SwapSlot.LastGeneration)
                throw reader.Refuse("slotGeneration", "is none that a slot has which was given out");
        }
    }

    // Those that were ever given out: a generation is never 0 behind that.
    private IEnumerable<uint> Known()
    {
        for (uint chunk = 0; chunk < _chunks.Length; chunk++)
        {
            if (_chunks[chunk] is not { } entries)
                continue;
            for (uint i = 0; i < entries.Length; i++)
            {
                if (entries[i].Generation != 0)
                    yield return (chunk << ChunkBits) + i;
            }
        }
    }

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
