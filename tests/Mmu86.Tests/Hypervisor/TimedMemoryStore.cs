using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;

namespace Mmu86.Tests.Hypervisor;

/// <summary>A page store in a dictionary whose loads take a fixed time.</summary>
internal sealed class TimedMemoryStore(ulong nanoseconds) : ITimedPageStore
{
    public MemoryPageStore Pages { get; } = new();

    public ulong Now { get; set; }

    public ulong ReadyAt { get; private set; }

    public bool TryStore(ReadOnlySpan<byte> page, out ulong slot) => Pages.TryStore(page, out slot);

    public PageLoad Load(ulong slot, Span<byte> page)
    {
        ReadyAt = Math.Max(ReadyAt, Now + nanoseconds);
        return Pages.Load(slot, page);
    }

    public bool Holds(ulong slot) => Pages.Holds(slot);

    public void Free(ulong slot) => Pages.Free(slot);
}
