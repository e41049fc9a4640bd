using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.HostSoak;

/// <summary>A machine's page store with a copy of every page beside it: what comes back must be what was stored.</summary>
/// <param name="store">The store.</param>
internal sealed class RememberingPageStore(ITimedPageStore store) : ITimedPageStore
{
    private readonly Dictionary<ulong, byte[]> _pages = [];

    /// <inheritdoc/>
    public ulong Now
    {
        get => store.Now;
        set => store.Now = value;
    }

    /// <inheritdoc/>
    public ulong ReadyAt => store.ReadyAt;

    /// <summary>Whether a page of these bytes is stored.</summary>
    public bool Has(ReadOnlySpan<byte> page)
    {
        foreach (byte[] stored in _pages.Values)
        {
            if (page.SequenceEqual(stored))
                return true;
        }

        return false;
    }

    /// <inheritdoc/>
    public bool TryStore(ReadOnlySpan<byte> page, out ulong slot)
    {
        if (!store.TryStore(page, out slot))
            return false;
        _pages[slot] = page.ToArray();
        return true;
    }

    /// <inheritdoc/>
    public PageLoad Load(ulong slot, Span<byte> page)
    {
        PageLoad load = store.Load(slot, page);
        if (load == PageLoad.Done && !page.SequenceEqual(_pages[slot]))
            Assert.Fail($"the page in slot {slot:X} came back as another than was stored there");
        return load;
    }

    /// <inheritdoc/>
    public void Free(ulong slot)
    {
        store.Free(slot);

        // All pages of zeros have one slot.
        if (!SwapSlot.Unpack(slot).IsZeroPage)
            _pages.Remove(slot);
    }

    /// <inheritdoc/>
    public bool Holds(ulong slot) => store.Holds(slot);
}
