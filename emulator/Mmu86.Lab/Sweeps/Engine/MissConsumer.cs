using System.Runtime.InteropServices;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Sweeps.OnePass;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Tells the misses of the base machine's data TLB by class, by symbol and by page.</summary>
/// <remarks>Pages of each size are a matter of their own: the base machine's entries for the size are the measure of capacity.</remarks>
internal sealed class MissConsumer : IStreamConsumer
{
    private const int MostGroups = 32;

    private readonly MissClassifier?[] _classifiers = new MissClassifier?[3];
    private readonly int[] _entries = new int[3];
    private readonly MissTally _bySize = new();
    private readonly MissTally _bySite = new();
    private readonly MissTally _byPage = new();
    private readonly Dictionary<ulong, int> _pageNumbers = [];
    private readonly List<ulong> _pages = [];
    private readonly FragmentIndex _fragments = new();
    private readonly FullyAssociativeFamily _largePages;
    private readonly int _largeEntries;

    /// <summary>Prepares to classify.</summary>
    /// <param name="level">The base machine's first-level data TLB.</param>
    public MissConsumer(TlbLevelConfiguration level)
    {
        for (int size = 0; size < 3; size++)
        {
            long entries = level.Arrays
                .Where(array => array.PageSizes.Contains(RunReportBuilder.NameOf((PageSize)size)))
                .Sum(array => array.Sets == 0 ? FullyAssociativeFamily.EntriesLimit : (long)array.Sets * array.Ways);
            _entries[size] = (int)Math.Min(entries, FullyAssociativeFamily.EntriesLimit);
            if (entries > 0)
                _classifiers[size] = new MissClassifier(_entries[size]);
        }

        _largeEntries = Math.Max(1, _entries[(int)PageSize.Size4K]);
        _largePages = new FullyAssociativeFamily(_largeEntries);
    }

    /// <inheritdoc/>
    public void Apply(StreamChunk chunk)
    {
        ReadOnlySpan<ulong> words = chunk.Words.AsSpan(0, chunk.Count);
        for (int position = 0; position < words.Length; position += TranslationStreamReader.Length(words[position]))
        {
            switch (TranslationStreamReader.Operation(words[position]))
            {
                case StreamOperation.Lookup:
                    Add(new LookupEvent(words[position], words[position + 1]));
                    break;
                case StreamOperation.PageRemoved:
                    Remove((uint)(words[position] >> 4), words[position + 1]);
                    break;
                case StreamOperation.AddressRemoved:
                    RemoveAddress((uint)(words[position] >> 4), words[position + 1]);
                    break;
                case StreamOperation.SpaceRemoved:
                    RemoveSpace((uint)(words[position] >> 4));
                    break;
                case StreamOperation.SpaceLeft:
                    LeaveSpace((uint)(words[position] >> 5), isInstruction: ((words[position] >> 4) & 1) != 0);
                    break;
                case StreamOperation.Context:
                case StreamOperation.Table:
                case StreamOperation.TableLine:
                case StreamOperation.Invalidation:
                case StreamOperation.Mark:
                    break;
            }
        }
    }

    /// <summary>What was found.</summary>
    /// <param name="siteNames">The symbols, by number; of a recording that was not read to its end they are not known.</param>
    public MissBreakdown Read(IReadOnlyList<string> siteNames) => new()
    {
        Total = _bySite.Total,
        ByPageSize = Groups(_bySize, size => RunReportBuilder.NameOf((PageSize)size)),
        BySymbol = Groups(_bySite, site => site < siteNames.Count ? siteNames[site] : SiteNumbers.Elsewhere),
        ByPage = Groups(_byPage, page => $"0x{_pages[page] << 12:x}"),
        MissesWith2MPages = _largePages.Misses(_largeEntries),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private static MissGroup[] Groups(MissTally tally, Func<int, string> name) =>
    [
        .. Enumerable.Range(0, tally.Keys)
            .Select(key => (Key: key, Misses: tally[key]))
            .Where(group => group.Misses.Total > 0)
            .OrderByDescending(group => group.Misses.Total)
            .ThenBy(group => group.Key)
            .Take(MostGroups)
            .Select(group => new MissGroup(name(group.Key), group.Misses)),
    ];

    private void Add(LookupEvent lookup)
    {
        if (lookup.Kind == AccessKind.Fetch || lookup.IsFailed)
            return;
        _largePages.Access(lookup.Page >> 9, lookup.Space, lookup.Repeats);
        int size = (int)lookup.HeldSize;
        while (size > 0 && _classifiers[size] is null)
            size--;
        if (_classifiers[size] is not { } classifier)
            return;
        if ((int)lookup.GuestSize.Held() != size)
            _fragments.Add(lookup);
        MissClass missClass = classifier.Touch(lookup.Page >> (((PageSize)size).Shift() - 12), lookup.Space);
        if (!lookup.IsMissed)
            return;
        _bySize.Add(size, missClass);
        _bySite.Add((int)lookup.Site, missClass);
        _byPage.Add(PageNumber(lookup.Address >> 12), missClass);
    }

    private int PageNumber(ulong page)
    {
        ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(_pageNumbers, page, out bool isKnown);
        if (!isKnown)
        {
            number = _pages.Count;
            _pages.Add(page);
        }

        return number;
    }

    private void RemoveAddress(uint space, ulong address)
    {
        for (int size = 0; size < 3; size++)
            _classifiers[size]?.InvalidatePage(LookupEvent.PageNumber(address, (PageSize)size), space);
        _largePages.InvalidatePage(LookupEvent.PageNumber(address, PageSize.Size2M), space);
    }

    private void Remove(uint space, ulong address)
    {
        RemoveAddress(space, address);
        foreach (ulong page in _fragments.Of(space, address))
        {
            for (int size = 0; size < 3; size++)
                _classifiers[size]?.InvalidatePage(page >> (((PageSize)size).Shift() - 12), space);
        }
    }

    private void LeaveSpace(uint space, bool isInstruction)
    {
        if (isInstruction)
            return;
        foreach (MissClassifier? classifier in _classifiers)
            classifier?.InvalidateSpace(space);
        _largePages.InvalidateSpace(space);
    }

    private void RemoveSpace(uint space)
    {
        _fragments.Forget(space);
        foreach (MissClassifier? classifier in _classifiers)
            classifier?.RetireSpace(space);
        _largePages.RetireSpace(space);
    }
}
