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

    /// <summary>Makes an empty array.</summary>
    /// <exception cref="NotSupportedException">Random replacement cannot be told in advance.</exception>
    public ReferenceTlbArray(TlbArrayConfiguration configuration)
    {
        _configuration = configuration;
        Sizes = [.. configuration.PageSizes.Select(Parse)];
        _sets = [.. Enumerable.Range(0, configuration.Sets).Select(_ => new ReferenceTlbEntry?[configuration.Ways])];
        _policies = [.. Enumerable.Range(0, configuration.Sets).Select(_ => NewPolicy(configuration))];
    }

    /// <summary>The page sizes held.</summary>
    public IReadOnlyList<PageSize> Sizes { get; }

    /// <summary>Looks an address up, and touches the entry that answers.</summary>
    public ReferenceTlbEntry? LookUp(LinearAddress address, ushort pcid)
    {
        if (_configuration.Sets == 0)
            return _unbounded.Find(entry => entry.Serves(address, pcid));
        foreach (PageSize size in Sizes)
        {
            int set = SetOf(address.Value, size);
            int way = Array.FindIndex(_sets[set], entry => entry is not null && entry.Size == size && entry.Serves(address, pcid));
            if (way < 0)
                continue;
            _policies[set].Hit(way);
            return _sets[set][way];
        }

        return null;
    }

    /// <summary>Puts an entry in: into the lowest empty way, else into the victim's.</summary>
    public void Fill(ReferenceTlbEntry entry)
    {
        if (_configuration.Sets == 0)
        {
            _unbounded.Add(entry);
            return;
        }

        int set = SetOf(entry.PageNumber << entry.Size.Shift(), entry.Size);
        int way = Array.IndexOf(_sets[set], null);
        if (way < 0)
            way = _policies[set].Victim();
        _sets[set][way] = entry;
        _policies[set].Filled(way);
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

    private int SetOf(ulong address, PageSize size)
    {
        // Bits 56:0 are the widest linear address there is; the sign above tells nothing more.
        ulong pageNumber = (address & ((1UL << 57) - 1)) >> size.Shift();
        ulong sets = (ulong)_configuration.Sets;
        if (_configuration.Hash == IndexHash.Linear)
            return (int)(pageNumber % sets);
        // n bits of the page number xor the next n, where 2^n is the number of sets.
        return (int)((pageNumber % sets) ^ (pageNumber / sets % sets));
    }

    private static IReferencePolicy NewPolicy(TlbArrayConfiguration configuration) => configuration.Replacement switch
    {
        Replacement.Lru => new ReferenceLru(configuration.Ways),
        Replacement.TreePlru => new ReferenceTreePlru(configuration.Ways),
        Replacement.Mru3Plru => new ReferenceMru3Plru(configuration.Ways),
        Replacement.Fifo => new ReferenceFifo(configuration.Ways),
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
