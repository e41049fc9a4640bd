using Mmu86.Memory;

namespace Mmu86.Loaders.Processes;

/// <summary>The regions of a process, ascending, none overlapping, neighbours with equal rights joined.</summary>
internal sealed class RegionList
{
    /// <summary>The most regions, as Linux allows: bounds what a guest can make us keep.</summary>
    public const int Maximum = 65530;

    private readonly List<Region> _regions = [];

    /// <summary>Whether any change may split two regions and still stay below the limit.</summary>
    public bool HasRoom => _regions.Count + 2 <= Maximum;

    /// <summary>Whether a region touches the range.</summary>
    public bool Touches(ulong start, ulong end)
    {
        int index = FirstEndingAbove(start);
        return index < _regions.Count && _regions[index].Start < end;
    }

    /// <summary>Whether regions cover the whole range.</summary>
    public bool Covers(ulong start, ulong end)
    {
        for (int index = FirstEndingAbove(start); index < _regions.Count && _regions[index].Start <= start; index++)
        {
            start = _regions[index].End;
            if (start >= end)
                return true;
        }

        return false;
    }

    /// <summary>The regions in a range, cut to it.</summary>
    public List<Region> Within(ulong start, ulong end)
    {
        var found = new List<Region>();
        for (int index = FirstEndingAbove(start); index < _regions.Count && _regions[index].Start < end; index++)
        {
            Region region = _regions[index];
            found.Add(region with { Start = Math.Max(region.Start, start), End = Math.Min(region.End, end) });
        }

        return found;
    }

    /// <summary>Adds a region where there is none.</summary>
    public void Add(Region region)
    {
        int index = FirstEndingAbove(region.Start);
        if (index < _regions.Count && _regions[index].Start == region.End && _regions[index].Rights == region.Rights)
        {
            region = region with { End = _regions[index].End };
            _regions.RemoveAt(index);
        }

        if (index > 0 && _regions[index - 1].End == region.Start && _regions[index - 1].Rights == region.Rights)
        {
            index--;
            region = region with { Start = _regions[index].Start };
            _regions.RemoveAt(index);
        }

        _regions.Insert(index, region);
    }

    /// <summary>Removes what lies in a range; regions that stick out keep their rest.</summary>
    public void Remove(ulong start, ulong end)
    {
        int index = FirstEndingAbove(start);
        int last = index;
        while (last < _regions.Count && _regions[last].Start < end)
            last++;
        if (last == index)
            return;

        Region first = _regions[index];
        Region final = _regions[last - 1];
        _regions.RemoveRange(index, last - index);
        if (final.End > end)
            _regions.Insert(index, final with { Start = end });
        if (first.Start < start)
            _regions.Insert(index, first with { End = start });
    }

    /// <summary>The highest free range of a length below a ceiling.</summary>
    /// <returns>False where no gap is large enough.</returns>
    public bool TryFindGap(ulong length, ulong alignment, ulong floor, ulong ceiling, out ulong start)
    {
        ulong top = ceiling;
        for (int index = _regions.Count - 1; index >= -1; index--)
        {
            // The gap between this region and the one above it; below the first region there is one more.
            ulong bottom = index < 0 ? floor : Math.Max(floor, _regions[index].End);
            if (top > bottom && top - bottom >= length)
            {
                start = (top - length) & ~(alignment - 1);
                if (start >= bottom)
                    return true;
            }

            if (index >= 0)
                top = Math.Min(top, _regions[index].Start);
        }

        start = 0;
        return false;
    }

    /// <summary>Cuts a range into runs of whole pages that want the same: null where nothing is asked for, else what all regions in a page need.</summary>
    /// <param name="pageBytes">The size of a page; a run that mixes regions is one page.</param>
    public IEnumerable<(ulong Start, ulong Length, PageRights? Rights)> UniformRuns(ulong start, ulong end, ulong pageBytes)
    {
        ulong at = start & ~(pageBytes - 1);
        ulong stop = (end + pageBytes - 1) & ~(pageBytes - 1);
        while (at < stop)
        {
            int index = FirstEndingAbove(at);
            Region next = index < _regions.Count ? _regions[index] : new Region(ulong.MaxValue, ulong.MaxValue, PageRights.None);
            ulong runEnd;
            PageRights? rights;
            if (next.Start >= at + pageBytes)
            {
                runEnd = Math.Min(stop, next.Start & ~(pageBytes - 1));
                rights = null;
            }
            else if (next.Start <= at && next.End >= at + pageBytes)
            {
                runEnd = Math.Min(stop, next.End & ~(pageBytes - 1));
                rights = next.Rights;
            }
            else
            {
                runEnd = at + pageBytes;
                rights = PageRights.None;
                for (; index < _regions.Count && _regions[index].Start < runEnd; index++)
                    rights |= _regions[index].Rights;
            }

            yield return (at, runEnd - at, rights);
            at = runEnd;
        }
    }

    /// <summary>Writes the regions.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_regions.Count);
        foreach (Region region in _regions)
        {
            writer.Write(region.Start);
            writer.Write(region.End);
            writer.Write((byte)region.Rights);
        }
    }

    /// <summary>Reads them back.</summary>
    public void Load(StateReader reader)
    {
        const PageRights All = PageRights.Read | PageRights.Write | PageRights.Execute;
        const ulong Misalignment = ProcessLayout.Granularity - 1;
        _regions.Clear();
        ulong last = 0;
        for (int left = reader.ReadInt32("regions", 0, Maximum); left > 0; left--)
        {
            ulong start = reader.ReadUInt64("start", last, ProcessLayout.StackEnd.Value);
            last = reader.ReadUInt64("end", start + 1, ProcessLayout.StackEnd.Value);
            var rights = (PageRights)reader.ReadByte("rights");
            if (((start | last) & Misalignment) != 0 || (rights & ~All) != 0)
                throw reader.Refuse("start", "is not that of a page, or the rights are none that there are");
            _regions.Add(new Region(start, last, rights));
        }
    }

    /// <summary>The index of the first region that ends above an address.</summary>
    private int FirstEndingAbove(ulong address)
    {
        int low = 0;
        int high = _regions.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_regions[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
