using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;

namespace Mmu86.Bench.Reclaim;

/// <summary>A page store that tells a profile when it works.</summary>
internal sealed class TimedStore(ITimedPageStore store, WorkProfile profile) : ITimedPageStore
{
    /// <inheritdoc/>
    public ulong Now
    {
        get => store.Now;
        set => store.Now = value;
    }

    /// <inheritdoc/>
    public ulong ReadyAt => store.ReadyAt;

    /// <inheritdoc/>
    public bool TryStore(ReadOnlySpan<byte> page, out ulong slot)
    {
        HostWork outer = profile.Begin(HostWork.Swap);
        bool stored = store.TryStore(page, out slot);
        profile.End(outer);
        return stored;
    }

    /// <inheritdoc/>
    public PageLoad Load(ulong slot, Span<byte> page)
    {
        HostWork outer = profile.Begin(HostWork.Swap);
        PageLoad loaded = store.Load(slot, page);
        profile.End(outer);
        return loaded;
    }

    /// <inheritdoc/>
    public void Free(ulong slot)
    {
        HostWork outer = profile.Begin(HostWork.Swap);
        store.Free(slot);
        profile.End(outer);
    }

    /// <inheritdoc/>
    public bool Holds(ulong slot) => store.Holds(slot);
}
