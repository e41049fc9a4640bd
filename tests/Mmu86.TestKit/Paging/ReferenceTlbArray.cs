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

    /// <summary>Makes an empty array.</summary>
    /// <exception cref="NotSupportedException">Random replacement cannot be told in advance.</exception>
    public ReferenceTlbArray(TlbArrayConfiguration configuration)
    {
        _configuration = configuration;
        Sizes = [.. configuration.PageSizes.Select(Parse)];
        _sets = [.. Enumerable.Range(0, configuration.Sets).Select(_ => new ReferenceTlbEntry?[configuration.Ways])];
        if (configuration.Hash == IndexHash.Skewed)
            _skewing = new ReferenceSkewing(configuration.Ways, configuration.Sets);
        _policies = [.. Enumerable.Range(0, configuration.Sets).Select(_ => NewPolicy(configuration))];
    }

    /// <summary>The page sizes held.</summary>
    public IReadOnlyList<PageSize> Sizes { get; }

    /// <summary>Looks an address up, and touches the entry that answers.</summary>
    public ReferenceTlbEntry? LookUp(LinearAddress address, ushort pcid)
    {
        if (_configuration.Sets == 0)
            return _unbounded.Where(entry => entry.Serves(address, pcid)).MinBy(entry => entry.Size);
        foreach (PageSize size in Sizes)
        {
            (int Set, int Way)[] places = Places(address.Value, size);
            int found = Array.FindIndex(places, place => _sets[place.Set][place.Way] is { } entry && entry.Size == size && entry.Serves(address, pcid));
            if (found < 0)
                continue;
            (int set, int way) = places[found];
            if (_skewing is null)
                _policies[set].Hit(way);
            else if (_configuration.Replacement != Replacement.Fifo)
                _skewing.Use((set, way), PageNumber(address.Value, size));
            return _sets[set][way];
        }

        return null;
    }

    /// <summary>Whether an entry serves an address. Touches nothing.</summary>
    public bool Holds(LinearAddress address, ushort pcid) =>
        _unbounded.Exists(entry => entry.Serves(address, pcid)) || _sets.Any(set => set.Any(entry => entry is not null && entry.Serves(address, pcid)));

    /// <summary>Puts an entry in: into the lowest empty way, else into the victim's.</summary>
    /// <returns>The victim, or null.</returns>
    public ReferenceTlbEntry? Fill(ReferenceTlbEntry entry)
    {
        if (_configuration.Sets == 0)
        {
            _unbounded.Add(entry);
            return null;
        }

        ulong address = entry.PageNumber << entry.Size.Shift();
        (int Set, int Way)[] places = Places(address, entry.Size);
        int free = Array.FindIndex(places, place => _sets[place.Set][place.Way] is null);
        (int set, int way) = free >= 0 ? places[free] : Victim(places[0].Set, PageNumber(address, entry.Size));
        ReferenceTlbEntry? victim = _sets[set][way];
        _sets[set][way] = entry;
        if (_skewing is null)
            _policies[set].Filled(way);
        else
            _skewing.Use((set, way), PageNumber(address, entry.Size));
        return victim;
    }

    /// <summary>Uses the entry that equals another, if it is there.</summary>
    public bool Use(ReferenceTlbEntry entry)
    {
        if (_configuration.Sets == 0)
            return _unbounded.Contains(entry);
        ulong address = entry.PageNumber << entry.Size.Shift();
        foreach ((int set, int way) in Places(address, entry.Size))
        {
            if (_sets[set][way] != entry)
                continue;
            if (_skewing is null)
                _policies[set].Hit(way);
            else if (_configuration.Replacement != Replacement.Fifo)
                _skewing.Use((set, way), PageNumber(address, entry.Size));
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
    private (int Set, int Way)[] Places(ulong address, PageSize size)
    {
        ulong pageNumber = PageNumber(address, size);
        return _skewing?.Places(pageNumber) ?? [.. Enumerable.Range(0, _configuration.Ways).Select(way => (SetOf(pageNumber), way))];
    }

    // Bits 56:0 are the widest linear address there is; the sign above tells nothing more.
    private static ulong PageNumber(ulong address, PageSize size) => (address & ((1UL << 57) - 1)) >> size.Shift();

    private int SetOf(ulong pageNumber)
    {
        ulong sets = (ulong)_configuration.Sets;
        if (_configuration.Hash == IndexHash.Linear)
            return (int)(pageNumber % sets);
        if (_configuration.Hash == IndexHash.Masks)
            return _configuration.IndexMasks!.Select((mask, bit) => IsOdd(pageNumber & Convert.ToUInt64(mask, 16)) ? 1 << bit : 0).Sum();
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
