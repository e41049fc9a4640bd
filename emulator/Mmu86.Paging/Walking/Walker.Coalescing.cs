using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Which neighbours of a page a coalesced entry may stand for. Reads tables, and leaves no trace.</content>
internal sealed unsafe partial class Walker
{
    // Bits of a PTE that processors ignore, unless the mode reserves them.
    private const ulong IgnoredInPte = (7UL << 9) | (0x7FUL << 52);

    /// <summary>The largest aligned group around the page last walked to that one entry may translate.</summary>
    /// <param name="result">What that walk found.</param>
    /// <param name="kind">What it was for.</param>
    /// <param name="most">The most pages wanted: a power of two.</param>
    /// <returns>A power of two; 1 where the page has an entry for itself.</returns>
    /// <remarks>
    /// Their PTEs map frames that follow one another and agree in everything else that a TLB entry remembers, in accessed and dirty too: an
    /// entry must not answer for a page whose accessed flag nobody set, nor claim a dirty flag that is clear. Tables above the PTEs are
    /// the same for all. With a nested page of 4 KiB the same must hold of the nested entries, in every bit but the frame. Hypervisor-managed
    /// tables may send each page on to other tables, so what they translate has no groups.
    /// </remarks>
    public int CountCoalesced(in WalkResult result, AccessKind kind, int most)
    {
        bool mayHaveNeighbours = _context.IsPaging && TlbEntry.GuestSize(result.Flags) == PageSize.Size4K;
        if (!mayHaveNeighbours || (_isNested && _controls is { } controls && controls.UsesHlat(_linear)))
            return 1;
        ulong compared = ~IgnoredInPte | _guest->Layout->Reserved(1, mapsPage: true);
        int pages = _guest->Layout->EntryBytes == 4
            ? CountRun<FourByteEntries>(_guest->EntryHost, _guest->Entry, compared, most)
            : CountRun<EightByteEntries>(_guest->EntryHost, _guest->Entry, compared, most);
        return pages > 1 && _isNested && TlbEntry.EptSize(result.Flags) == PageSize.Size4K ? CountNestedRun(result, kind, pages) : pages;
    }

    // What the nested TLB said of the page may be older than the tables, which alone speak for its neighbours. Asked as for a read where it was a
    // write: else the dirty flag would count as set.
    private int CountNestedRun(in WalkResult result, AccessKind kind, int most)
    {
        WalkResult now = default;
        AccessKind harmless = kind == AccessKind.Write ? AccessKind.Read : kind;
        bool agrees = TryFinishNested<TableWalk>(result.GuestPhysical, harmless, _finalRights, PageSize.Size4K, ref now)
            && now.Host == result.Host && now.Flags == result.Flags;
        if (!agrees)
            return 1;
        return _ept->Layout->EntryBytes == 4 ? CountNestedRun<FourByteEntries>(most) : CountNestedRun<EightByteEntries>(most);
    }

    private int CountNestedRun<TFormat>(int most)
        where TFormat : struct, ITableFormat
    {
        // Read again: that walk has flags set in its mind.
        ulong entry = ReadEntry<TFormat, TableWalk>(_ept->EntryHost);
        return (entry & _nestedAccessedFlag) == _nestedAccessedFlag ? CountRun<TFormat>(_ept->EntryHost, entry, ulong.MaxValue, most) : 1;
    }

    private int CountRun<TFormat>(ulong host, ulong entry, ulong compared, int most)
        where TFormat : struct, ITableFormat
    {
        int pages = 1;
        while (2 * pages <= most && IsRun<TFormat>(host, entry, compared, 2 * pages))
            pages *= 2;
        return pages;
    }

    // Whether the entries of an aligned group say what the one given says, but for frames that are as aligned and follow one another.
    private bool IsRun<TFormat>(ulong host, ulong entry, ulong compared, int pages)
        where TFormat : struct, ITableFormat
    {
        ulong first = host & ~((ulong)(pages * TFormat.EntryBytes) - 1);
        ulong own = (host - first) / (ulong)TFormat.EntryBytes;
        if (((entry >> 12) & (ulong)(pages - 1)) != own)
            return false;
        for (ulong i = 0; i < (ulong)pages; i++)
        {
            // The flags of the one given may not be in its table: those of a replayed run are not written.
            if (i != own && ((ReadEntry<TFormat, TableWalk>(first + (i * (ulong)TFormat.EntryBytes)) ^ entry ^ ((i ^ own) << 12)) & compared) != 0)
                return false;
        }

        return true;
    }
}
