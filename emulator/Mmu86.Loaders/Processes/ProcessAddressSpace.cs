using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>The linear space of a Linux process: what brk, mmap, munmap and mprotect change, and the page tables that follow it.</summary>
/// <remarks>
/// There is no kernel in the guest that could page, so a range has its frames and entries from the moment it is asked for; the host
/// touches a frame when the guest does. Ranges have the granularity of 4096 bytes whatever the page size is. A large page exists while
/// any range in it does, and grants what all ranges in it need together.
/// </remarks>
public sealed class ProcessAddressSpace
{
    private readonly RegionList _regions = new();
    private readonly ProcessPages _pages;
    private readonly GuestPageTables _tables;
    private ulong _break;

    /// <summary>Makes an empty space: a PML4 table.</summary>
    /// <param name="memory">Guest memory.</param>
    /// <param name="frames">Where frames for tables and pages come from.</param>
    /// <param name="pageSize">The size of every page.</param>
    /// <exception cref="ImageFormatException">No frame is free.</exception>
    public ProcessAddressSpace(IGuestPhysicalMemory memory, GuestFrameAllocator frames, PageSize pageSize)
    {
        _tables = new GuestPageTables(memory, frames);
        _pages = new ProcessPages(memory, frames, _tables, pageSize);
    }

    /// <summary>The PML4 table: the value of CR3.</summary>
    public GuestPhysicalAddress Root => _tables.Root;

    /// <summary>The size of every page.</summary>
    public PageSize PageSize => _pages.Size;

    /// <summary>Where the heap starts: the end of the image.</summary>
    public LinearAddress BreakStart { get; private set; }

    /// <summary>Where the heap ends: the program break.</summary>
    public LinearAddress Break => new(_break);

    /// <summary>Names the one that is told when entries change that a processor may have cached. Before this, nobody is.</summary>
    public void Attach(ITranslationInvalidator invalidator) => _pages.Invalidator = invalidator;

    /// <summary>Maps zeros where there is room, from the top down; at the hint if it is free.</summary>
    /// <param name="length">In bytes; rounded up to 4096.</param>
    /// <param name="rights">What the process may do there.</param>
    /// <param name="hint">Where the process would like it; 0 for anywhere.</param>
    /// <param name="start">Where it is. Aligned to the page size if at least as long as a page.</param>
    public AddressSpaceResult MapAnywhere(ulong length, PageRights rights, LinearAddress hint, out LinearAddress start)
    {
        start = default;
        if (length == 0)
            return AddressSpaceResult.BadRange;
        if (length > ProcessLayout.MappingEnd.Value)
            return AddressSpaceResult.NoMemory;

        length = RoundUp(length);
        ulong at = hint.Value & ~(ProcessLayout.Granularity - 1);
        if (at == 0 || !IsProcessRange(at, length) || _regions.Touches(at, at + length))
        {
            ulong alignment = length >= PageSize.Bytes() ? PageSize.Bytes() : ProcessLayout.Granularity;
            if (!_regions.TryFindGap(length, alignment, ProcessLayout.Lowest.Value, ProcessLayout.MappingEnd.Value, out at))
                return AddressSpaceResult.NoMemory;
        }

        start = new LinearAddress(at);
        return MapFree(at, length, rights);
    }

    /// <summary>Maps zeros at an address, in place of what is there. What is there is gone even where memory does not suffice for the rest.</summary>
    /// <param name="start">A multiple of 4096.</param>
    /// <param name="length">In bytes; rounded up to 4096.</param>
    /// <param name="rights">What the process may do there.</param>
    public AddressSpaceResult MapFixed(LinearAddress start, ulong length, PageRights rights)
    {
        if (!IsRange(start, length))
            return AddressSpaceResult.BadRange;
        length = RoundUp(length);
        if (!IsProcessRange(start.Value, length))
            return AddressSpaceResult.NoMemory;
        AddressSpaceResult removed = Unmap(start, length);
        return removed == AddressSpaceResult.Done ? MapFree(start.Value, length, rights) : removed;
    }

    /// <summary>Whether nothing is mapped in a range.</summary>
    public bool IsFree(LinearAddress start, ulong length) => !_regions.Touches(start.Value, start.Value + length);

    /// <summary>Unmaps a range; parts that are not mapped are ignored.</summary>
    /// <param name="start">A multiple of 4096.</param>
    /// <param name="length">In bytes; rounded up to 4096.</param>
    public AddressSpaceResult Unmap(LinearAddress start, ulong length)
    {
        if (!IsRange(start, length))
            return AddressSpaceResult.BadRange;
        ulong end = start.Value + RoundUp(length);
        if (!_regions.HasRoom)
            return AddressSpaceResult.NoMemory;

        List<Region> removed = _regions.Within(start.Value, end);
        _regions.Remove(start.Value, end);
        foreach (Region region in removed)
        {
            ClearWhatStays(region);
            Follow(region.Start, region.End);
        }

        return AddressSpaceResult.Done;
    }

    /// <summary>Changes the rights of a range that is mapped throughout.</summary>
    /// <param name="start">A multiple of 4096.</param>
    /// <param name="length">In bytes; rounded up to 4096. Zero changes nothing.</param>
    /// <param name="rights">The new rights.</param>
    public AddressSpaceResult Protect(LinearAddress start, ulong length, PageRights rights)
    {
        if (length == 0 && (start.Value & (ProcessLayout.Granularity - 1)) == 0)
            return AddressSpaceResult.Done;
        if (!IsRange(start, length))
            return AddressSpaceResult.BadRange;
        ulong end = start.Value + RoundUp(length);
        if (!_regions.HasRoom || !_regions.Covers(start.Value, end))
            return AddressSpaceResult.NoMemory;

        List<Region> before = _regions.Within(start.Value, end);
        _regions.Remove(start.Value, end);
        _regions.Add(new Region(start.Value, end, rights));
        if (TryGatherFor(start.Value, end))
        {
            Follow(start.Value, end);
            return AddressSpaceResult.Done;
        }

        _regions.Remove(start.Value, end);
        foreach (Region region in before)
            _regions.Add(region);
        return AddressSpaceResult.NoMemory;
    }

    /// <summary>Moves the program break.</summary>
    /// <param name="wanted">The end of the heap that the process asks for.</param>
    /// <returns>The break after the call: the old one where the new one cannot be had.</returns>
    public LinearAddress SetBreak(LinearAddress wanted)
    {
        if (wanted.Value < BreakStart.Value || wanted.Value > ProcessLayout.MappingEnd.Value)
            return Break;

        ulong oldEnd = RoundUp(_break);
        ulong newEnd = RoundUp(wanted.Value);
        AddressSpaceResult result = AddressSpaceResult.Done;
        if (newEnd < oldEnd)
        {
            result = Unmap(new LinearAddress(newEnd), oldEnd - newEnd);
        }
        else if (newEnd > oldEnd)
        {
            result = _regions.Touches(oldEnd, newEnd)
                ? AddressSpaceResult.NoMemory
                : MapFree(oldEnd, newEnd - oldEnd, PageRights.Read | PageRights.Write);
        }

        if (result == AddressSpaceResult.Done)
            _break = wanted.Value;
        return Break;
    }

    /// <summary>Translates as the tables say now, leaving no trace.</summary>
    /// <returns>False where the page is not present.</returns>
    public bool TryTranslate(LinearAddress linear, out GuestPhysicalAddress physical) => _tables.TryTranslate(linear, PageSize, out physical);

    /// <summary>Says where the heap starts. Called once, after the image was mapped.</summary>
    internal void StartHeap(LinearAddress start)
    {
        BreakStart = start;
        _break = start.Value;
    }

    /// <summary>Maps a range of an image or the stack: where another range of the image is already, it gets the rights of both.</summary>
    internal AddressSpaceResult MapImage(LinearAddress start, ulong length, PageRights rights)
    {
        ulong end = start.Value + length;
        foreach (Region shared in _regions.Within(start.Value, end))
        {
            _regions.Remove(shared.Start, shared.End);
            _regions.Add(shared with { Rights = shared.Rights | rights });
        }

        for (ulong at = start.Value; at < end;)
        {
            List<Region> taken = _regions.Within(at, end);
            ulong gapEnd = taken.Count == 0 ? end : taken[0].Start;
            if (gapEnd > at)
                _regions.Add(new Region(at, gapEnd, rights));
            at = taken.Count == 0 ? end : taken[0].End;
        }

        if (!TryGatherFor(start.Value, end))
            return AddressSpaceResult.NoMemory;
        Follow(start.Value, end);
        return AddressSpaceResult.Done;
    }

    /// <summary>Copies bytes to linear addresses, whatever the rights are. The range must be mapped with rights.</summary>
    internal void Write(LinearAddress start, ReadOnlySpan<byte> bytes) => _pages.Write(start.Value, bytes);

    /// <summary>Writes regions, heap and frames. Frames for tables and the tables themselves are memory.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(Root.Value);
        writer.Write(BreakStart.Value);
        writer.Write(_break);
        _regions.Save(writer);
        _pages.Save(writer);
    }

    /// <summary>Reads them back into the space of the same image.</summary>
    public void Load(StateReader reader)
    {
        if (reader.ReadUInt64("root") != Root.Value)
            throw reader.Refuse("root", "is another than that of this image");
        BreakStart = new LinearAddress(reader.ReadUInt64("breakStart", 0, ProcessLayout.MappingEnd.Value));
        _break = reader.ReadUInt64("break", BreakStart.Value, ProcessLayout.MappingEnd.Value);
        _regions.Load(reader);
        _pages.Load(reader);
    }

    private static ulong RoundUp(ulong length) => (length + ProcessLayout.Granularity - 1) & ~(ProcessLayout.Granularity - 1);

    /// <summary>Whether a range is aligned, not empty and does not leave the lower half, where nothing here can wrap around.</summary>
    private static bool IsRange(LinearAddress start, ulong length) =>
        length != 0
        && (start.Value & (ProcessLayout.Granularity - 1)) == 0
        && length <= ProcessLayout.StackEnd.Value
        && start.Value <= ProcessLayout.StackEnd.Value - length;

    private static bool IsProcessRange(ulong start, ulong length) =>
        start >= ProcessLayout.Lowest.Value && length <= ProcessLayout.MappingEnd.Value && start <= ProcessLayout.MappingEnd.Value - length;

    private AddressSpaceResult MapFree(ulong start, ulong length, PageRights rights)
    {
        if (!_regions.HasRoom)
            return AddressSpaceResult.NoMemory;
        _regions.Add(new Region(start, start + length, rights));
        if (TryGatherFor(start, start + length))
        {
            Follow(start, start + length);
            return AddressSpaceResult.Done;
        }

        _regions.Remove(start, start + length);
        return AddressSpaceResult.NoMemory;
    }

    /// <summary>Takes the frames that the regions in a range ask for and do not have.</summary>
    private bool TryGatherFor(ulong start, ulong end)
    {
        ulong pages = 0;
        foreach ((ulong runStart, ulong length, PageRights? rights) in _regions.UniformRuns(start, end, PageSize.Bytes()))
        {
            if (rights is not (null or PageRights.None))
                pages += _pages.CountWithoutFrame(runStart, length);
        }

        return pages == 0 || _pages.TryGather(pages, GuestPageTables.MostTablesFor(end - start, PageSize));
    }

    /// <summary>Makes the tables say what the regions in a range ask for.</summary>
    private void Follow(ulong start, ulong end)
    {
        foreach ((ulong runStart, ulong length, PageRights? rights) in _regions.UniformRuns(start, end, PageSize.Bytes()))
        {
            if (rights is { } wanted)
                _pages.SetRights(runStart, length, wanted);
            else
                _pages.Release(runStart, length);
        }
    }

    /// <summary>Zeroes a removed range where the page around it stays for another range, so that a later mapping there finds zeros.</summary>
    private void ClearWhatStays(Region removed)
    {
        ulong mask = PageSize.OffsetMask();
        ulong firstPage = removed.Start & ~mask;
        ulong lastPage = (removed.End - 1) & ~mask;
        for (ulong page = firstPage; ; page = lastPage)
        {
            if (_regions.Touches(page, page + PageSize.Bytes()))
            {
                ulong from = Math.Max(page, removed.Start);
                _pages.Clear(from, Math.Min(page + PageSize.Bytes(), removed.End) - from);
            }

            if (page == lastPage)
                return;
        }
    }
}
