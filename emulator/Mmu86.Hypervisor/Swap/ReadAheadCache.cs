using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Pages that were read before anyone asked for them. The oldest make room.</summary>
internal sealed class ReadAheadCache(int pages)
{
    private readonly SlotQueue<(byte[] Bytes, ulong ArrivesAt)> _pages = new();
    private readonly Stack<byte[]> _spare = [];

    /// <summary>Whether a slot's page is here.</summary>
    public bool Contains(uint slot) => _pages.Contains(slot);

    /// <summary>Writes every page, the oldest first.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_pages.Count);
        foreach ((uint slot, (byte[] bytes, ulong arrivesAt)) in _pages.ByAge)
        {
            writer.Write(slot);
            writer.Write(arrivesAt);
            writer.WriteArray<byte>(bytes);
        }
    }

    /// <summary>Reads them back into an empty cache.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="page">Told the slot of each; it refuses one that cannot be here.</param>
    public void Load(StateReader reader, Action<uint> page)
    {
        Span<byte> bytes = stackalloc byte[SwapSlot.SizeInBytes];
        for (int left = reader.ReadInt32("readAhead", 0, pages); left > 0; left--)
        {
            uint slot = reader.ReadUInt32("readAheadSlot");
            page(slot);
            if (Contains(slot))
                throw reader.Refuse("readAheadSlot", $"{slot} is there twice");
            ulong arrivesAt = reader.ReadUInt64("readAheadArrivesAt");
            reader.ReadArray("readAheadBytes", bytes);
            Add(slot, bytes, arrivesAt);
        }
    }

    /// <summary>Keeps a page that is not here.</summary>
    /// <param name="slot">Its slot.</param>
    /// <param name="page">Its bytes, which are copied.</param>
    /// <param name="arrivesAt">Virtual nanoseconds at which the device is done with it.</param>
    public void Add(uint slot, ReadOnlySpan<byte> page, ulong arrivesAt)
    {
        if (_pages.Count == pages)
            Drop(_pages.Oldest);
        byte[] bytes = _spare.TryPop(out byte[]? spare) ? spare : new byte[SwapSlot.SizeInBytes];
        page.CopyTo(bytes);
        _pages.Add(slot, (bytes, arrivesAt));
    }

    /// <summary>Hands a page out and forgets it.</summary>
    public bool TryTake(uint slot, Span<byte> page, out ulong arrivesAt)
    {
        arrivesAt = 0;
        if (!_pages.TryRemove(slot, out (byte[] Bytes, ulong ArrivesAt) kept))
            return false;
        kept.Bytes.CopyTo(page);
        arrivesAt = kept.ArrivesAt;
        _spare.Push(kept.Bytes);
        return true;
    }

    /// <summary>Forgets a page if it is here.</summary>
    public void Drop(uint slot)
    {
        if (_pages.TryRemove(slot, out (byte[] Bytes, ulong ArrivesAt) kept))
            _spare.Push(kept.Bytes);
    }
}
