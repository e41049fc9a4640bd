using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>The pages of one size behind a process's regions: their frames and the entries that map them.</summary>
/// <remarks>
/// A page whose rights are <see cref="PageRights.None"/> keeps its frame in an entry with P=0, whose other bits the processor ignores;
/// a page that never had rights has no frame. Frame 0 is never given out, so an entry without a frame number has no frame.
/// </remarks>
internal sealed class ProcessPages(IGuestPhysicalMemory memory, GuestFrameAllocator frames, GuestPageTables tables, PageSize size)
{
    private readonly Queue<FrameRun> _gathered = new();
    private FrameRun _run; // what is left of the run in use

    public PageSize Size => size;

    public ITranslationInvalidator? Invalidator { get; set; }

    private ulong FramesPerPage => size.Bytes() >> 12;

    /// <summary>How many pages of a range have no frame.</summary>
    public ulong CountWithoutFrame(ulong start, ulong length)
    {
        Span<ulong> buffer = stackalloc ulong[GuestPageTables.EntriesPerTable];
        ulong count = 0;
        for (ulong done = 0; done < length;)
        {
            if (SkipWithoutTable(start + done, length - done) is var skipped and not 0)
            {
                count += skipped >> size.Shift();
                done += skipped;
                continue;
            }

            Span<ulong> entries = Slice(start + done, length - done, buffer);
            tables.ReadLeaves(new LinearAddress(start + done), size, entries);
            foreach (ulong entry in entries)
                count += HasFrame(entry) ? 0UL : 1;
            done += (ulong)entries.Length << size.Shift();
        }

        return count;
    }

    /// <summary>Takes the frames for so many pages, to be used by <see cref="SetRights"/>.</summary>
    /// <param name="pages">How many.</param>
    /// <param name="tableReserve">How many frames must be left for tables.</param>
    /// <returns>False, with nothing taken, where they do not suffice.</returns>
    public bool TryGather(ulong pages, ulong tableReserve)
    {
        if (pages > frames.FreeFrames / FramesPerPage || frames.FreeFrames - (pages * FramesPerPage) < tableReserve)
            return false;

        while (pages != 0)
        {
            bool taken = size == PageSize.Size4K ? frames.TryTakeRun(pages, out FrameRun run) : frames.TryTakePage(size, out run);
            if (!taken)
            {
                PutBackGathered();
                return false;
            }

            _gathered.Enqueue(run);
            pages -= run.Count / FramesPerPage;
        }

        return true;
    }

    /// <summary>Gives the pages of a range their rights; those without a frame get one of those gathered, if they get rights at all.</summary>
    public void SetRights(ulong start, ulong length, PageRights rights)
    {
        Span<ulong> buffer = stackalloc ulong[GuestPageTables.EntriesPerTable];
        for (ulong done = 0; done < length;)
        {
            if (rights == PageRights.None && SkipWithoutTable(start + done, length - done) is var skipped and not 0)
            {
                done += skipped;
                continue;
            }

            Span<ulong> entries = Slice(start + done, length - done, buffer);
            tables.ReadLeaves(new LinearAddress(start + done), size, entries);
            bool changed = false;
            bool stale = false;
            foreach (ref ulong entry in entries)
            {
                ulong before = entry;
                entry = WithRights(before, rights);
                changed |= entry != before;
                stale |= entry != before && (before & PagingEntry.Present) != 0;
            }

            if (changed)
                tables.WriteLeaves(new LinearAddress(start + done), size, entries);
            if (stale)
                Invalidator?.Invalidate(new LinearAddress(start + done), (ulong)entries.Length << size.Shift(), size);
            done += (ulong)entries.Length << size.Shift();
        }
    }

    /// <summary>Unmaps the pages of a range, then gives their frames back.</summary>
    public void Release(ulong start, ulong length)
    {
        Span<ulong> buffer = stackalloc ulong[GuestPageTables.EntriesPerTable];
        Span<ulong> zeros = stackalloc ulong[GuestPageTables.EntriesPerTable];
        zeros.Clear();
        for (ulong done = 0; done < length;)
        {
            if (SkipWithoutTable(start + done, length - done) is var skipped and not 0)
            {
                done += skipped;
                continue;
            }

            Span<ulong> entries = Slice(start + done, length - done, buffer);
            tables.ReadLeaves(new LinearAddress(start + done), size, entries);
            if (entries.ContainsAnyExcept(0UL))
            {
                // A frame may be taken by another only after nothing can reach it by the old entry.
                tables.WriteLeaves(new LinearAddress(start + done), size, zeros[..entries.Length]);
                Invalidator?.Invalidate(new LinearAddress(start + done), (ulong)entries.Length << size.Shift(), size);
                foreach (ulong entry in entries)
                {
                    if (HasFrame(entry))
                        frames.Release(new GuestPhysicalAddress(entry & PagingEntry.AddressMask).Frame, FramesPerPage);
                }
            }

            done += (ulong)entries.Length << size.Shift();
        }
    }

    /// <summary>Fills a part of one page with zeros, if it has a frame.</summary>
    public void Clear(ulong start, ulong length)
    {
        if (TryFindFrame(start, out GuestPhysicalAddress physical))
            memory.Clear(physical, length);
    }

    /// <summary>Copies bytes to linear addresses, whatever the rights are. The pages must have frames.</summary>
    public void Write(ulong start, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int length = (int)Math.Min((ulong)bytes.Length, size.Bytes() - (start & size.OffsetMask()));
            if (!TryFindFrame(start, out GuestPhysicalAddress physical))
                throw new InvalidOperationException($"No frame is behind L:0x{start:x}.");
            memory.Write(physical, bytes[..length]);
            bytes = bytes[length..];
            start += (ulong)length;
        }
    }

    private static bool HasFrame(ulong entry) => (entry & PagingEntry.AddressMask) != 0;

    private static ulong Flags(PageRights rights) => PagingEntry.Present | PagingEntry.User
        | ((rights & PageRights.Write) != 0 ? PagingEntry.Writable : 0)
        | ((rights & PageRights.Execute) != 0 ? 0 : PagingEntry.ExecuteDisable);

    /// <summary>How many bytes of a range to skip for want of a table: a process may reserve terabytes without rights.</summary>
    private ulong SkipWithoutTable(ulong start, ulong length) => Math.Min(length, tables.BytesWithoutTable(new LinearAddress(start), size));

    private Span<ulong> Slice(ulong start, ulong length, Span<ulong> buffer) =>
        buffer[..(int)Math.Min((ulong)GuestPageTables.CountToTableEnd(new LinearAddress(start), size), length >> size.Shift())];

    private bool TryFindFrame(ulong linear, out GuestPhysicalAddress physical)
    {
        Span<ulong> entry = stackalloc ulong[1];
        tables.ReadLeaves(new LinearAddress(linear), size, entry);
        physical = new GuestPhysicalAddress((entry[0] & PagingEntry.AddressMask) + (linear & size.OffsetMask()));
        return HasFrame(entry[0]);
    }

    private ulong WithRights(ulong entry, PageRights rights)
    {
        if (rights == PageRights.None)
            return entry & ~PagingEntry.Present;
        ulong kept = HasFrame(entry)
            ? entry & (PagingEntry.AddressMask | PagingEntry.Accessed | PagingEntry.Dirty)
            : NextGathered();
        return kept | Flags(rights) | GuestPageTables.LeafBit(size);
    }

    private ulong NextGathered()
    {
        if (_run.Count == 0)
        {
            _run = _gathered.Dequeue();
            if (_run.UsedBefore)
                memory.Clear(_run.Start.Address, _run.Count << 12);
        }

        ulong address = _run.Start.Address.Value;
        _run = _run with { Start = new GuestFrameNumber(_run.Start.Value + FramesPerPage), Count = _run.Count - FramesPerPage };
        return address;
    }

    /// <summary>Writes the frames and what was gathered of them.</summary>
    public void Save(StateWriter writer)
    {
        frames.Save(writer);
        FrameRun[] gathered = [_run, .. _gathered];
        writer.Write(gathered.Length);
        foreach (FrameRun run in gathered)
        {
            writer.Write(run.Start.Value);
            writer.Write(run.Count);
            writer.Write(run.UsedBefore);
        }
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        frames.Load(reader);
        _gathered.Clear();
        ulong most = memory.SizeInBytes >> 12;
        for (int left = reader.ReadInt32("gathered", 1, int.MaxValue); left > 0; left--)
            _gathered.Enqueue(new FrameRun(new GuestFrameNumber(reader.ReadUInt64("start", 0, 2 * most)), reader.ReadUInt64("count", 0, most), reader.ReadBoolean("usedBefore")));
        _run = _gathered.Dequeue();
    }

    private void PutBackGathered()
    {
        foreach (FrameRun run in _gathered)
            frames.PutBack(run.Start, run.Count);
        _gathered.Clear();
    }
}
