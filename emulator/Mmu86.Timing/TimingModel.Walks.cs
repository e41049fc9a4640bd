using Mmu86.Paging;

namespace Mmu86.Timing;

/// <content>Walks, whose references go through the caches too.</content>
public sealed partial class TimingModel
{
    // When each walker is free.
    private readonly ulong[] _walkers;

    private readonly ulong[] _referenceHits = new ulong[(int)MemoryLevel.Memory + 1];
    private ulong _walkCycles;

    // The walk whose access is about to be made: its cost, and where it found each entry.
    private ulong _walk;
    private MemoryLevel[] _foundIn = new MemoryLevel[64];
    private int _found;

    /// <summary>A walk ended in a translation. <see cref="IExecutionPolicy.Walked"/>.</summary>
    public void Walked(ReadOnlySpan<ulong> references)
    {
        _walk = Cost(references);
        for (int i = 0; i < _found; i++)
            _referenceHits[(int)_foundIn[i]]++;
    }

    /// <summary>A walk ended in a fault or a VM exit: nothing behind it can overlap it. <see cref="IExecutionPolicy.WalkFailed"/>.</summary>
    public void WalkFailed(ReadOnlySpan<ulong> references) => _clock = Cycles + Cost(references);

    /// <summary>The trace of the walk that was told last, with where each entry was found and what it cost.</summary>
    public WalkTrace Priced(WalkTrace trace)
    {
        int next = 0;
        return Price(trace, () => _foundIn[next++]);
    }

    /// <summary>The trace of an inspection, with where a walk would find each entry now. Leaves no trace.</summary>
    public WalkTrace Forecast(WalkTrace trace)
    {
        MemoryLevel[] found = _caches.Forecast([.. trace.References
            .Where(reference => reference.Source == WalkSource.Memory)
            .Select(reference => _caches.Line(reference.Entry!.Value.Value))]);
        int next = 0;
        return Price(trace, () => found[next++]);
    }

    private ulong Cost(ReadOnlySpan<ulong> references)
    {
        if (_foundIn.Length < references.Length)
            _foundIn = new MemoryLevel[references.Length];
        ulong cost = (ulong)_latencies.WalkStartCycles;
        _found = 0;
        foreach (ulong address in references)
        {
            MemoryLevel level = _caches.Walk(_caches.Line(address));
            _foundIn[_found++] = level;
            cost += (ulong)_caches.Latency(level);
        }

        _walkCycles += cost;
        return cost;
    }

    // The walk told last begins when a walker is free.
    private ulong Walk(ulong at)
    {
        int walker = 0;
        for (int i = 1; i < _walkers.Length; i++)
        {
            if (_walkers[i] < _walkers[walker])
                walker = i;
        }

        at = Math.Max(at, _walkers[walker]) + _walk;
        _walkers[walker] = at;
        return at;
    }

    private WalkTrace Price(WalkTrace trace, Func<MemoryLevel> find)
    {
        if (trace.References.Count == 0)
            return trace;
        return trace with { References = [.. trace.References.Select(PriceOne)] };

        WalkReference PriceOne(WalkReference reference)
        {
            if (reference.Source != WalkSource.Memory)
                return reference;
            MemoryLevel level = find();
            return reference with { FoundIn = level, Cycles = _caches.Latency(level) };
        }
    }
}
