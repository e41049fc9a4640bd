using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <content>The books in a saved state. Numbers of slots are kept, for scans go by them; links and buckets are found anew.</content>
internal sealed partial class FrameTable
{
    /// <summary>Writes them.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(HighWater);
        foreach (FrameSlot slot in _slots.AsSpan(0, HighWater))
        {
            writer.Write(slot.Id.Value);
            if (slot.Id == FrameId.None)
                continue;
            writer.Write(slot.Stamp);
            writer.Write(slot.Age);
            writer.Write((byte)slot.Flags);
        }

        int[] order = new int[HighWater];
        int length = 0;
        for (int slot = _free; slot != None; slot = _slots[slot].Chain)
            order[length++] = slot;
        writer.WriteArray<int>(order.AsSpan(0, length));
        foreach (FrameList list in _lists)
        {
            length = 0;
            for (int slot = list.Oldest; slot != None; slot = _slots[slot].Newer)
                order[length++] = slot;
            writer.WriteArray<int>(order.AsSpan(0, length));
        }
    }

    /// <summary>Reads them back in place of what is here.</summary>
    public void Load(StateReader reader)
    {
        int highWater = reader.ReadInt32("slots", 0, _limit);
        Clear();
        while (_slots.Length < highWater)
            Array.Resize(ref _slots, (int)Math.Min((long)_slots.Length * 2, _limit));
        LoadSlots(reader, highWater);
        Rehash();
        int[] free = reader.ReadArray<int>("free", highWater);
        for (int i = free.Length - 1; i >= 0; i--)
        {
            if ((uint)free[i] >= (uint)highWater || _slots[free[i]].Id != FrameId.None || _slots[free[i]].Chain != None)
                throw reader.Refuse("free", $"has {free[i]}, which is no free slot, or is there twice");
            _slots[free[i]].Chain = i == free.Length - 1 ? LastFree : _free;
            _free = free[i];
        }

        if (free.Length + Count != highWater)
            throw reader.Refuse("free", $"has {free.Length} slots, and {highWater - Count} are");
        if (free.Length > 0)
            _slots[free[^1]].Chain = None;
        for (int list = 0; list < _lists.Length; list++)
        {
            foreach (int slot in reader.ReadArray<int>("list", highWater))
            {
                if ((uint)slot >= (uint)highWater || _slots[slot].Id == FrameId.None || _slots[slot].List != NoList)
                    throw reader.Refuse("list", $"{list} has {slot}, which is free or in a list already");
                MoveToNewest(slot, list);
            }
        }
    }

    private void LoadSlots(StateReader reader, int highWater)
    {
        HighWater = highWater;
        HashSet<ulong> known = [];
        for (int slot = 0; slot < highWater; slot++)
        {
            ref FrameSlot loaded = ref _slots[slot];
            loaded = new FrameSlot { Id = new FrameId(reader.ReadUInt64("frame")), Newer = None, Older = None, Chain = None, List = NoList };
            if (loaded.Id == FrameId.None)
                continue;
            if (!known.Add(loaded.Id.Value))
                throw reader.Refuse("frame", $"{loaded.Id} is there twice");
            Count++;
            loaded.Stamp = reader.ReadUInt64("stamp");
            loaded.Age = reader.ReadByte("age");
            loaded.Flags = (FrameFlags)reader.ReadByte("flags");
            if ((loaded.Flags & ~(FrameFlags.Resident | FrameFlags.Pinned | FrameFlags.Fresh | FrameFlags.Learned)) != 0)
                throw reader.Refuse("flags", $"are 0x{(byte)loaded.Flags:x}");
        }
    }

    private void Clear()
    {
        Array.Fill(_lists, FrameList.Empty);
        _slots = new FrameSlot[Math.Min(FirstCapacity, _limit)];
        HighWater = 0;
        Count = 0;
        _free = None;
        Rehash();
    }
}
