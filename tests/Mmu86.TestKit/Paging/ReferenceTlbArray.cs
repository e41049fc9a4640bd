using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>One TLB array as lists: sets, ways, an order of replacement, and nothing clever.</summary>
public sealed class ReferenceTlbArray
{
    private readonly TlbArrayConfiguration _configuration;
    private readonly List<ReferenceTlbEntry> _unbounded = [];
    private readonly ReferenceTlbEntry?[][] _sets;
    private readonly IReferencePolicy[] _policies;
    private readonly ReferenceSkewing? _skewing;
    private readonly (int Set, int Way)[][] _places;
    private readonly ulong[] _masks;

    /// <summary>Makes an empty array.</summary>
    /// <exception cref="NotSupportedException">Random replacement cannot be told in advance.</exception>
    public ReferenceTlbArray(TlbArrayConfiguration configuration)
    {
        _configuration = configuration;
        Sizes = [.. configuration.PageSizes.Select(Parse)];
        _sets = [.. Enumerable.Range(0, configuration.Sets).Select(_ => new ReferenceTlbEntry?[configuration.Ways])];
        if (configuration.Hash == IndexHash.Skewed)
            _skewing = new ReferenceSkewing(configuration.Ways, configuration.Sets);
        _places = [.. Enumerable.Range(0, configuration.Sets).Select(set => Enumerable.Range(0, configuration.Ways).Select(way => (set, way)).ToArray())];
        _masks = [.. (configuration.IndexMasks ?? []).Select(mask => Convert.ToUInt64(mask, 16))];
        _policies = [.. Enumerable.Range(0, configuration.Sets).Select(_ => NewPolicy(configuration))];
    }

    /// <summary>The page sizes held.</summary>
    public IReadOnlyList<PageSize> Sizes { get; }

    /// <summary>Pages of a coalesced entry; null where the array has none.</summary>
    public int? Coalesced => _configuration.CoalescedPages;

    /// <summary>Whether the array is one for entries of some size.</summary>
    /// <param name="size">Page size.</param>
    /// <param name="pages">Pages in an entry.</param>
    public bool IsFor(PageSize size, int pages) => pages == 1 ? Sizes.Contains(size) : Coalesced == pages;

    /// <summary>Looks an address up among the entries of one size, and touches the entry that answers.</summary>
    public ReferenceTlbEntry? LookUp(LinearAddress address, ushort pcid, PageSize size, int pages)
    {
        bool Answers(ReferenceTlbEntry? entry) => entry is not null && entry.Size == size && entry.Pages == pages && entry.Serves(address, pcid);
        if (!IsFor(size, pages))
            return null;
        if (_configuration.Sets == 0)
            return _unbounded.Find(Answers);
        ulong number = PageNumber(address.Value, size.Shift() + int.Log2(pages));
        (int Set, int Way)[] places = Places(number);
        int found = Array.FindIndex(places, place => Answers(_sets[place.Set][place.Way]));
        if (found < 0)
            return null;
        (int set, int way) = places[found];
        if (_skewing is null)
            _policies[set].Hit(way);
        else if (_configuration.Replacement != Replacement.Fifo)
            _skewing.Use((set, way), number);
        return _sets[set][way];
    }

    /// <summary>All entries.</summary>
    public IEnumerable<ReferenceTlbEntry> Entries => _unbounded.Concat(_sets.SelectMany(set => set.OfType<ReferenceTlbEntry>()));

    /// <summary>Whether an entry serves an address. Touches nothing.</summary>
    public bool Holds(LinearAddress address, ushort pcid) => Entries.Any(entry => entry.Serves(address, pcid));

    /// <summary>Puts an entry in: into the lowest empty way, else into the victim's.</summary>
    /// <returns>The victim, or null.</returns>
    public ReferenceTlbEntry? Fill(ReferenceTlbEntry entry)
    {
        if (_configuration.Sets == 0)
        {
            _unbounded.Add(entry);
            return null;
        }

        ulong number = PageNumber(entry.PageNumber << entry.Shift, entry.Shift);
        (int Set, int Way)[] places = Places(number);
        int free = Array.FindIndex(places, place => _sets[place.Set][place.Way] is null);
        (int set, int way) = free >= 0 ? places[free] : Victim(places[0].Set, number);
        ReferenceTlbEntry? victim = _sets[set][way];
        _sets[set][way] = entry;
        if (_skewing is null)
            _policies[set].Filled(way);
        else
            _skewing.Use((set, way), number);
        return victim;
    }

    /// <summary>Uses the entry that equals another, if it is there.</summary>
    public bool Use(ReferenceTlbEntry entry)
    {
        if (_configuration.Sets == 0)
            return _unbounded.Contains(entry);
        ulong number = PageNumber(entry.PageNumber << entry.Shift, entry.Shift);
        foreach ((int set, int way) in Places(number))
        {
            if (_sets[set][way] != entry)
                continue;
            if (_skewing is null)
                _policies[set].Hit(way);
            else if (_configuration.Replacement != Replacement.Fifo)
                _skewing.Use((set, way), number);
            return true;
        }

        return false;
    }

    /// <summary>Removes the entries that an invalidation names.</summary>
    /// <returns>How many there were.</returns>
    public int Remove(Predicate<ReferenceTlbEntry> isNamed)
    {
        int removed = _unbounded.RemoveAll(isNamed);
        foreach (ReferenceTlbEntry?[] set in _sets)
        {
            for (int way = 0; way < set.Length; way++)
            {
                if (set[way] is not { } entry || !isNamed(entry))
                    continue;
                set[way] = null;
                removed++;
            }
        }

        return removed;
    }

    private (int Set, int Way) Victim(int set, ulong pageNumber)
    {
        if (_skewing is null)
            return (set, _policies[set].Victim());
        return _configuration.Replacement == Replacement.Nru ? _skewing.NotReferenced(pageNumber) : _skewing.Oldest(pageNumber);
    }

    // The ways that may hold a page, the lowest first.
    private (int Set, int Way)[] Places(ulong pageNumber) =>
        _skewing?.Places(pageNumber) ?? _places[SetOf(pageNumber)];

    // Bits 56:0 are the widest linear address there is; the sign above tells nothing more.
    private static ulong PageNumber(ulong address, int shift) => (address & ((1UL << 57) - 1)) >> shift;

    private int SetOf(ulong pageNumber)
    {
        ulong sets = (ulong)_configuration.Sets;
        if (_configuration.Hash == IndexHash.Linear)
            return (int)(pageNumber % sets);
        if (_configuration.Hash == IndexHash.Masks)
            return _masks.Select((mask, bit) => IsOdd(pageNumber & mask) ? 1 << bit : 0).Sum();
        // n bits of the page number xor the next n, where 2^n is the number of sets.
        return (int)((pageNumber % sets) ^ (pageNumber / sets % sets));
    }

    private static bool IsOdd(ulong bits)
    {
        bool isOdd = false;
        for (; bits != 0; bits >>= 1)
            isOdd ^= (bits & 1) != 0;
        return isOdd;
    }

    private static IReferencePolicy NewPolicy(TlbArrayConfiguration configuration) => configuration.Replacement switch
    {
        Replacement.Lru => new ReferenceLru(configuration.Ways),
        Replacement.TreePlru => new ReferenceTreePlru(configuration.Ways),
        Replacement.Mru3Plru => new ReferenceMru3Plru(configuration.Ways),
        Replacement.Fifo => new ReferenceFifo(configuration.Ways),
        Replacement.Nru => new ReferenceNru(configuration.Ways),
        Replacement.Srrip => new ReferenceSrrip(configuration.Ways),
        Replacement.Permutation => new ReferencePermutation(configuration.Ways, configuration.Permutations!),
        Replacement.Random => throw new NotSupportedException("The reference TLB has no random replacement."),
        _ => throw new ArgumentOutOfRangeException(nameof(configuration)),
    };

    private static PageSize Parse(string size) => size switch
    {
        "4k" => PageSize.Size4K,
        "2m" => PageSize.Size2M,
        "1g" => PageSize.Size1G,
        _ => throw new ArgumentOutOfRangeException(nameof(size)),
    };
}
