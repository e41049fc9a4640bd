using Mmu86.Hypervisor;

namespace Mmu86.Tests.Hypervisor;

/// <summary>A page store in a dictionary. What it is given it gives back, unless it is told to fail.</summary>
internal sealed class MemoryPageStore : IPageStore
{
    private readonly Dictionary<ulong, byte[]> _pages = [];
    private ulong _next = 1;

    /// <summary>Pages that it takes at once.</summary>
    public int Capacity { get; set; } = int.MaxValue;

    /// <summary>What it answers where it would give a page back.</summary>
    public PageLoad Answer { get; set; } = PageLoad.Done;

    /// <summary>Pages that it has.</summary>
    public int Count => _pages.Count;

    public bool TryStore(ReadOnlySpan<byte> page, out ulong slot)
    {
        slot = _next;
        if (_pages.Count >= Capacity)
            return false;
        _pages.Add(_next++, page.ToArray());
        return true;
    }

    public PageLoad Load(ulong slot, Span<byte> page)
    {
        if (Answer == PageLoad.Done)
            _pages[slot].CopyTo(page);
        return Answer;
    }

    public bool Holds(ulong slot) => _pages.ContainsKey(slot);

    public void Free(ulong slot) => Assert(_pages.Remove(slot));

    private static void Assert(bool holds)
    {
        if (!holds)
            throw new InvalidOperationException("A slot was freed that is not taken.");
    }
}
