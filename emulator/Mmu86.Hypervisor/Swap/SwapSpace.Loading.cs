using System.Diagnostics;

namespace Mmu86.Hypervisor.Swap;

public sealed partial class SwapSpace
{
    /// <summary>Loads a page. The slot stays the owner's: it frees it, or keeps it while the page is not written to, and then need not store it again.</summary>
    /// <param name="owner">Its owner.</param>
    /// <param name="slot">What <see cref="Store"/> gave.</param>
    /// <param name="now">Virtual nanoseconds.</param>
    /// <param name="page">4096 bytes: the page, or zeros unless all went well, never somebody else's bytes.</param>
    /// <returns>
    /// Done; <see cref="SwapStatus.ShortRead"/>, <see cref="SwapStatus.ReadFailed"/> or <see cref="SwapStatus.ChecksumMismatch"/> where the page is broken. It may be tried
    /// again; other pages are not concerned.
    /// </returns>
    /// <exception cref="InvalidOperationException">The slot is not that owner's: a mistake of the caller.</exception>
    public SwapOutcome Load(int owner, SwapSlot slot, ulong now, Span<byte> page)
    {
        CheckLength(page.Length);
        _writes.Settle(now);
        SwapOwner of = Owner(owner);
        if (slot.IsZeroPage)
        {
            CheckZeroPage(of);
            of.Counts.PagesIn++;
            page.Clear();
            return new SwapOutcome(SwapStatus.Done, now);
        }

        ref SlotEntry entry = ref Entry(owner, slot);
        SwapOutcome outcome;
        if (entry.State == SlotState.OnDevice)
        {
            outcome = LoadFromDevice(of, slot.Number, now, page);
        }
        else
        {
            CopyFromMemory(entry.State, slot.Number, page);
            bool isPooled = entry.State == SlotState.Pooled;
            if (isPooled)
                of.Counts.PoolHits++;
            else
                of.Counts.WriteBufferHits++;
            outcome = new SwapOutcome(SwapStatus.Done, isPooled ? now + _options.DecompressNanoseconds : now);
        }

        outcome = outcome with { Status = Verify(outcome.Status, in entry, slot.Number, page) };
        if (outcome.IsDone)
            of.Counts.PagesIn++;
        else if (outcome.Status == SwapStatus.ChecksumMismatch)
            of.Counts.ChecksumMismatches++;
        return outcome;
    }

    /// <summary>Reads a page without leaving a trace: no time passes, nothing is counted or read ahead. For snapshots and audits.</summary>
    /// <inheritdoc cref="Load"/>
    public SwapStatus Inspect(int owner, SwapSlot slot, Span<byte> page)
    {
        CheckLength(page.Length);
        if (slot.IsZeroPage)
        {
            CheckZeroPage(Owner(owner));
            page.Clear();
            return SwapStatus.Done;
        }

        ref SlotEntry entry = ref Entry(owner, slot);
        SwapStatus status = SwapStatus.Done;
        if (entry.State == SlotState.OnDevice)
            status = _device.Read((ulong)slot.Number * SwapSlot.SizeInBytes, page);
        else
            CopyFromMemory(entry.State, slot.Number, page);
        return Verify(status, in entry, slot.Number, page);
    }

    private void CopyFromMemory(SlotState state, uint number, Span<byte> page)
    {
        switch (state)
        {
            case SlotState.Pooled:
                _pool.Read(number, page);
                break;
            case SlotState.Writing:
                _writes.Page(number).CopyTo(page);
                break;
            case SlotState.Held:
                _held[number].CopyTo(page);
                break;
            case SlotState.Free or SlotState.Draining or SlotState.OnDevice:
            default:
                throw new UnreachableException();
        }
    }

    private SwapOutcome LoadFromDevice(SwapOwner owner, uint number, ulong now, Span<byte> page)
    {
        if (_readAhead.TryTake(number, page, out ulong arrivesAt))
        {
            owner.Counts.ReadAheadHits++;
            owner.Window.Hit();
            return new SwapOutcome(SwapStatus.Done, Math.Max(now, arrivesAt));
        }

        (uint first, int pages) = Neighbours(owner, number);
        if (pages > 1)
        {
            Span<byte> window = _window.AsSpan(0, pages * SwapSlot.SizeInBytes);
            SwapOutcome outcome = Read(owner, first, window, now);
            now = outcome.ReadyAt;
            if (outcome.IsDone)
            {
                Keep(owner, first, number, window, now);
                window.Slice((int)(number - first) * SwapSlot.SizeInBytes, SwapSlot.SizeInBytes).CopyTo(page);
                return outcome;
            }
        }

        // A bad neighbour must not take this page along: it is read by itself.
        return Read(owner, number, page, now);
    }

    // The part of the aligned window around a slot whose slots are this owner's, on the device, not read ahead yet, and without a gap.
    private (uint First, int Pages) Neighbours(SwapOwner owner, uint number)
    {
        uint window = (uint)owner.Window.Next(number, _options.ReadAheadPages);
        uint start = number & ~(window - 1);
        uint end = Math.Min(start + window, _slots.Count);
        uint first = number;
        while (first > start && IsWorthReading(owner, first - 1))
            first--;
        uint behind = number + 1;
        while (behind < end && IsWorthReading(owner, behind))
            behind++;
        return (first, (int)(behind - first));
    }

    private bool IsWorthReading(SwapOwner owner, uint number)
    {
        ref SlotEntry entry = ref _slots[number];
        return entry.State == SlotState.OnDevice && entry.Owner == owner.Number && !_readAhead.Contains(number);
    }

    // Checksums of pages read ahead are looked at when they are asked for.
    private void Keep(SwapOwner owner, uint first, uint asked, ReadOnlySpan<byte> window, ulong arrivesAt)
    {
        for (uint i = first; !window.IsEmpty; i++, window = window[SwapSlot.SizeInBytes..])
        {
            if (i == asked)
                continue;
            _readAhead.Add(i, window[..SwapSlot.SizeInBytes], arrivesAt);
            owner.Counts.PagesReadAhead++;
        }
    }

    private SwapOutcome Read(SwapOwner owner, uint first, Span<byte> destination, ulong now)
    {
        ulong offset = (ulong)first * SwapSlot.SizeInBytes;
        ulong ready = _timing.Complete(SwapOperation.Read, offset, destination.Length, now);
        SwapStatus status = _device.Read(offset, destination);
        if (status == SwapStatus.Done)
        {
            owner.Counts.ReadOperations++;
            owner.Counts.BytesRead += (ulong)destination.Length;
        }
        else
        {
            owner.Counts.ReadFailures++;
        }

        return new SwapOutcome(status, ready);
    }

    private static SwapStatus Verify(SwapStatus status, in SlotEntry entry, uint number, Span<byte> page)
    {
        if (status == SwapStatus.Done && PageChecksum.Of(page, number, entry.Generation, entry.Owner) != entry.Checksum)
            status = SwapStatus.ChecksumMismatch;
        if (status != SwapStatus.Done)
            page.Clear();
        return status;
    }
}
