using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <content>The books in a saved state: each list from its oldest frame to its newest, and behind them what is resident and in no list.</content>
internal sealed partial class FrameTable
{
    private const FrameFlags SavedFlags = FrameFlags.Resident | FrameFlags.Pinned | FrameFlags.Fresh | FrameFlags.Learned;

    /// <summary>Writes them.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(HighWater);
        int[] order = new int[Count];
        foreach (FrameList list in _lists)
        {
            int length = 0;
            for (int frame = list.Oldest; frame != None; frame = this[frame].Newer)
                order[length++] = frame;
            Save(writer, order.AsSpan(0, length));
        }

        int others = 0;
        foreach (int frame in Known())
        {
            if (this[frame].List == NoList)
                order[others++] = frame;
        }

        Save(writer, order.AsSpan(0, others));
    }

    /// <summary>Reads them back in place of what is here.</summary>
    public void Load(StateReader reader)
    {
        Array.Fill(_lists, FrameList.Empty);
        Count = 0;
        HighWater = reader.ReadInt32("frames", 0, _limit);
        _pieces = [];
        _candidates = [];
        if (HighWater != 0)
            Reach(HighWater - 1);
        for (int list = 0; list < _lists.Length; list++)
            Load(reader, list);
        Load(reader, NoList);
    }

    private void Save(StateWriter writer, ReadOnlySpan<int> order)
    {
        byte[] marks = new byte[2 * order.Length];
        for (int i = 0; i < order.Length; i++)
        {
            marks[2 * i] = (byte)this[order[i]].Flags;
            marks[(2 * i) + 1] = this[order[i]].Age;
        }

        writer.WriteArray(order);
        writer.WriteArray<byte>(marks);
    }

    private void Load(StateReader reader, int list)
    {
        int[] order = reader.ReadArray<int>("list", HighWater);
        byte[] marks = new byte[2 * order.Length];
        reader.ReadArray("marks", marks);
        for (int i = 0; i < order.Length; i++)
        {
            int frame = order[i];
            if ((uint)frame >= (uint)HighWater || Find((ulong)frame) != None)
                throw reader.Refuse("list", $"has frame 0x{frame:x}, which is beyond the last one or there twice");
            var flags = (FrameFlags)marks[2 * i];
            if ((flags & ~SavedFlags) != 0)
                throw reader.Refuse("flags", $"are 0x{(byte)flags:x}");
            if (list == NoList && (flags & FrameFlags.Resident) == 0)
                throw reader.Refuse("flags", $"say that frame 0x{frame:x} is a ghost, and it is in no list");
            Reach(frame);
            this[frame] = new FrameSlot { Flags = flags, Age = marks[(2 * i) + 1] };
            Count++;
            if ((flags & (FrameFlags.Resident | FrameFlags.Pinned)) == FrameFlags.Resident)
                SetCandidate(frame);
            if (list != NoList)
                MoveToNewest(frame, list);
        }
    }
}
