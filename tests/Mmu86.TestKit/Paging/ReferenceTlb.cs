using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The modelled TLBs of one virtual CPU, looked up on every access: the judge of hits and misses.</summary>
/// <remarks>
/// A miss in both levels fills both. A hit in the second level fills the first with the entry found,
/// which may be a fragment of its page. A hit in the first level does not touch the second,
/// and what the first level evicts goes nowhere. Reads and writes see the arrays that serve them. Where an array may hold pages together,
/// a page that belongs together with its neighbours is held so. Of two entries for an address the smaller answers.
/// </remarks>
public sealed class ReferenceTlb(MmuConfiguration configuration)
{
    // One page, several pages, large pages.
    private static readonly (PageSize Size, int Pages)[] s_smallestFirst =
    [
        (PageSize.Size4K, 1), (PageSize.Size4K, 2), (PageSize.Size4K, 4), (PageSize.Size4K, 8), (PageSize.Size4K, 16), (PageSize.Size2M, 1), (PageSize.Size1G, 1),
    ];

    private readonly ReferenceTlbLevel _instruction = new(configuration.L1Instruction);
    private readonly ReferenceTlbLevel _data = new(configuration.L1Data);
    private readonly ReferenceTlbLevel _second = new(configuration.L2);
    private readonly ReferenceTlbLevel? _secondOfFetches = configuration.L2Instruction is { } level ? new ReferenceTlbLevel(level) : null;
    private readonly ReferencePrefetcher? _dataPrefetcher = configuration.Prefetch is { } prefetch ? new ReferencePrefetcher(prefetch) : null;
    private readonly ReferencePrefetcher? _fetchPrefetcher = configuration.Prefetch is { } prefetch ? new ReferencePrefetcher(prefetch) : null;
    private ushort _pcid;

    /// <summary>What a prefetch finds in the tables: size of the page at an address, and whether it is global. Null where there is none.</summary>
    public Func<ulong, (PageSize Size, bool IsGlobal)?> Tables { get; init; } = _ => null;

    /// <summary>Whether the aligned group of some 4 KiB pages around an address may share an entry.</summary>
    public Func<ulong, int, bool> AreTogether { get; init; } = (_, _) => false;

    /// <summary>Pages prefetched so far.</summary>
    public ulong Prefetched { get; private set; }

    /// <summary>One access to a page that every right allows and that was written before.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="kind">Fetches have a first level of their own.</param>
    /// <param name="pcid">The current PCID.</param>
    /// <param name="page">The page size that a walk would find.</param>
    /// <param name="isGlobal">Whether a walk would find a global page.</param>
    public TlbAnswer Access(LinearAddress address, AccessKind kind, ushort pcid, PageSize page, bool isGlobal)
    {
        ReferenceTlbLevel second = kind == AccessKind.Fetch ? _secondOfFetches ?? _second : _second;
        List<ReferenceTlbArray> first = kind switch
        {
            AccessKind.Fetch => _instruction.Arrays,
            AccessKind.Read => _data.ArraysFor(AccessesServed.Loads),
            _ => _data.ArraysFor(AccessesServed.Stores),
        };
        if (LookUp(first, address, pcid) is not null)
            return TlbAnswer.FirstLevel;
        if (LookUp(second.Arrays, address, pcid) is { } found)
        {
            // An exclusive level gives away what the first level takes as it is.
            if (second.Inclusion == Inclusion.Exclusive && first.Exists(array => array.IsFor(found.Size, found.Pages)))
                second.Arrays.ForEach(array => array.Remove(entry => entry == found));
            FillFirst(first, second, address, found, found.Size, pages => pages <= found.Pages);
            return TlbAnswer.SecondLevel;
        }

        // A global entry is the same whoever made it.
        var walked = new ReferenceTlbEntry(address.Value >> page.Shift(), page, page, isGlobal ? (ushort)0 : pcid, isGlobal);
        bool MayShare(int pages) => page == PageSize.Size4K && AreTogether(address.Value, pages);
        bool firstHoldsIt = first.Exists(array => array.Sizes.Any(size => size <= page) || (array.Coalesced is { } pages && MayShare(pages)));
        if (second.Inclusion != Inclusion.Exclusive || !firstHoldsIt)
            Left(second, Fill(second.Arrays, address, walked, page, MayShare));
        FillFirst(first, second, address, walked, page, MayShare);
        foreach (ulong next in (kind == AccessKind.Fetch ? _fetchPrefetcher : _dataPrefetcher)?.Predict(address.Value, page) ?? [])
            Prefetch(new LinearAddress(next), first, second, pcid);
        return TlbAnswer.Miss;
    }

    private void Prefetch(LinearAddress address, List<ReferenceTlbArray> first, ReferenceTlbLevel second, ushort pcid)
    {
        bool isThere = second.Arrays.Exists(array => array.Holds(address, pcid))
            || (second.Inclusion == Inclusion.Exclusive && first.Exists(array => array.Holds(address, pcid)));
        if (isThere || Tables(address.Value) is not var (size, isGlobal))
            return;
        Prefetched++;
        var walked = new ReferenceTlbEntry(address.Value >> size.Shift(), size, size, isGlobal ? (ushort)0 : pcid, isGlobal);
        Left(second, Fill(second.Arrays, address, walked, size, pages => size == PageSize.Size4K && AreTogether(address.Value, pages)));
    }

    /// <summary>Another PCID runs, or the same again.</summary>
    public void Use(ushort pcid)
    {
        if (pcid != _pcid)
        {
            foreach (ReferenceTlbLevel level in Levels)
            {
                foreach (ReferenceTlbEntry dropped in level.Leave(_pcid, pcid))
                    Left(level, dropped);
            }
        }

        _pcid = pcid;
    }

    /// <summary>Removes entries from all levels. With an entry for several pages an inclusive level loses pages that nobody named: the levels above lose them too.</summary>
    public void Remove(Predicate<ReferenceTlbEntry> isNamed)
    {
        foreach (ReferenceTlbLevel level in Levels)
        {
            ReferenceTlbEntry[] named = [.. level.Arrays.SelectMany(array => array.Entries.Where(entry => isNamed(entry)))];
            level.Arrays.ForEach(array => array.Remove(isNamed));
            foreach (ReferenceTlbEntry entry in named)
                Left(level, entry);
        }
    }

    private IEnumerable<ReferenceTlbLevel> Levels => new[] { _instruction, _data, _second, _secondOfFetches }.OfType<ReferenceTlbLevel>();

    private void FillFirst(
        List<ReferenceTlbArray> first, ReferenceTlbLevel second, LinearAddress address, ReferenceTlbEntry translation, PageSize largest, Predicate<int> mayShare)
    {
        if (Fill(first, address, translation, largest, mayShare) is not { } victim || second.Inclusion != Inclusion.Exclusive)
            return;
        // What an exclusive level is given it may have already: from the other first level.
        if (second.Arrays.Find(array => array.IsFor(victim.Size, victim.Pages)) is { } taker && !taker.Use(victim))
            taker.Fill(victim);
    }

    // An entry left a level: from below an inclusive one everything in its page goes too.
    private void Left(ReferenceTlbLevel level, ReferenceTlbEntry? entry)
    {
        if (entry is null || level.Inclusion != Inclusion.Inclusive)
            return;
        bool isOfFetches = level == (_secondOfFetches ?? _second);
        bool isOfData = level == _second;
        foreach (ReferenceTlbArray array in (isOfFetches ? _instruction.Arrays : []).Concat(isOfData ? _data.Arrays : []))
            array.Remove(other => other.Pcid == entry.Pcid && other.IsGlobal == entry.IsGlobal && other.IsWithin(entry));
    }

    private static ReferenceTlbEntry? LookUp(List<ReferenceTlbArray> level, LinearAddress address, ushort pcid)
    {
        foreach ((PageSize size, int pages) in s_smallestFirst)
        {
            foreach (ReferenceTlbArray array in level)
            {
                if (array.LookUp(address, pcid, size, pages) is { } entry)
                    return entry;
            }
        }

        return null;
    }

    // With its neighbours where an array holds such and they belong together; the translation itself where an array holds its size; else a
    // fragment of the largest size held below it.
    private static ReferenceTlbEntry? Fill(
        List<ReferenceTlbArray> level, LinearAddress address, ReferenceTlbEntry translation, PageSize largest, Predicate<int> mayShare)
    {
        if (level.Find(array => array.Coalesced is { } pages && mayShare(pages)) is { } sharing)
        {
            ReferenceTlbEntry group = translation with { Size = PageSize.Size4K, Pages = sharing.Coalesced!.Value };
            return sharing.Fill(group with { PageNumber = address.Value >> group.Shift });
        }

        for (int size = (int)largest; size >= 0; size--)
        {
            PageSize held = (PageSize)size;
            if (level.Find(array => array.Sizes.Contains(held)) is not { } holder)
                continue;
            return holder.Fill(translation with { PageNumber = address.Value >> held.Shift(), Size = held, Pages = 1 });
        }

        return null;
    }
}
