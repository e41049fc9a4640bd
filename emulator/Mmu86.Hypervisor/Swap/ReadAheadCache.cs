namespace Mmu86.Hypervisor.Swap;

/// <summary>Pages that were read before anyone asked for them. The oldest make room.</summary>
internal sealed class ReadAheadCache(int pages)
{
    private readonly SlotQueue<(byte[] Bytes, ulong ArrivesAt)> _pages = new();
    private readonly Stack<byte[]> _spare = [];

    /// <summary>Whether a slot's page is here.</summary>
    public bool Contains(uint slot) => _pages.Contains(slot);

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
