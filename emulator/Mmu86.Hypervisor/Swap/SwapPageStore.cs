using Mmu86.Hypervisor.Scheduling;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>One machine's part of a <see cref="SwapSpace"/>, as its memory and the scheduler see it.</summary>
/// <param name="space">The space, which all machines of the host share.</param>
/// <param name="owner">The machine's number there: no other machine has it.</param>
public sealed class SwapPageStore(SwapSpace space, int owner) : ITimedPageStore, ISavedDevice
{
    /// <inheritdoc/>
    /// <remarks>It advances with each operation: several in a row are done one after the other.</remarks>
    public ulong Now { get; set; }

    /// <inheritdoc/>
    public ulong ReadyAt { get; private set; }

    /// <summary>What the machine has in the space, and what happened to its pages.</summary>
    public SwapCounts Counts => space.CountsOf(owner);

    /// <summary>How the last operation that did not go well ended; <see cref="SwapStatus.Done"/> if all did.</summary>
    public SwapStatus LastFailure { get; private set; } = SwapStatus.Done;

    /// <inheritdoc/>
    public bool TryStore(ReadOnlySpan<byte> page, out ulong slot)
    {
        SwapOutcome outcome = space.Store(owner, page, Now, out SwapSlot stored);
        slot = stored.Packed;
        return Note(outcome);
    }

    /// <inheritdoc/>
    public PageLoad Load(ulong slot, Span<byte> page)
    {
        SwapOutcome outcome = space.Load(owner, SwapSlot.Unpack(slot), Now, page);
        ReadyAt = Math.Max(ReadyAt, outcome.ReadyAt);
        if (Note(outcome))
            return PageLoad.Done;
        return outcome.Status == SwapStatus.ChecksumMismatch ? PageLoad.Corrupt : PageLoad.Unreadable;
    }

    /// <inheritdoc/>
    public void Free(ulong slot) => space.Free(owner, SwapSlot.Unpack(slot));

    /// <inheritdoc/>
    public bool Holds(ulong slot) => space.Holds(owner, SwapSlot.Unpack(slot));

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(Now);
        writer.Write(ReadyAt);
        writer.Write((byte)LastFailure);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        Now = reader.ReadUInt64("storeNow");
        ReadyAt = reader.ReadUInt64("storeReadyAt");
        LastFailure = SwapSpace.ReadStatus(reader, "storeLastFailure");
    }

    private bool Note(SwapOutcome outcome)
    {
        Now = Math.Max(Now, outcome.ReadyAt);
        if (!outcome.IsDone)
            LastFailure = outcome.Status;
        return outcome.IsDone;
    }
}
