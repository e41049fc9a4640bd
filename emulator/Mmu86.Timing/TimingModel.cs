using System.Numerics;
using Mmu86.Cpu;
using Mmu86.Paging;

namespace Mmu86.Timing;

/// <summary>The cost of a run in the fidelity <c>cycles</c>: instructions begin in order, one a cycle; values take as long as their loads.</summary>
/// <remarks>
/// A load begins when its address is known and when fewer than <see cref="CachesConfiguration.OverlappingAccesses"/> accesses are under
/// way; then come the second-level TLB or the walk, then the latency of the cache that answers. What is computed of a loaded value is
/// known a cycle later. Nothing else waits. docs/model/timing.md says what that approximates.
/// </remarks>
public sealed partial class TimingModel : IInstructionTiming
{
    private readonly CacheHierarchy _caches;
    private readonly TranslationLatencies _latencies;

    // When the value of each register is known; of those in _awaited only, for all others it is.
    private readonly ulong[] _known = new ulong[32];
    private uint _awaited;

    // When the next instruction can begin, and when everything that began is done.
    private ulong _clock;
    private ulong _done;

    // The instruction in progress.
    private InstructionFacts _facts;
    private ulong _loaded;
    private int _accesses;
    private ulong _fetchedFrom;

    /// <summary>Makes a model at cycle 0 with empty caches.</summary>
    /// <param name="caches">The caches, in order.</param>
    /// <param name="latencies">What the second-level TLB and the begin of a walk cost; references of walks cost what the caches say.</param>
    public TimingModel(CachesConfiguration caches, TranslationLatencies latencies)
    {
        _caches = new CacheHierarchy(caches);
        _latencies = latencies;
        _underWay = new ulong[caches.OverlappingAccesses];
        _walkers = new ulong[caches.Walkers];
    }

    /// <summary>The cycle in which everything that began so far is done. Never goes back.</summary>
    public ulong Cycles => Math.Max(_clock, _done);

    /// <summary>What was counted so far.</summary>
    public TimingStatistics Statistics => new()
    {
        Cycles = Cycles,
        WalkCycles = _walkCycles,
        ReferenceHits = [.. _referenceHits],
        Caches = _caches.Statistics,
    };

    /// <inheritdoc/>
    public void Begin(in InstructionFacts facts)
    {
        Finish();
        _facts = facts;
        _loaded = 0;
        _accesses = 0;
        if ((facts.Traits & InstructionTraits.Serialises) != 0)
            _clock = Cycles;
        _clock++;
        FetchRest(facts.Length);
    }

    // What the instruction in progress makes is known when its loads are done and what it reads is known. Its accesses have all been made.
    private void Finish()
    {
        ulong known = LatestOf(_facts.Reads, _loaded);
        if ((_facts.Traits & InstructionTraits.Computes) != 0)
            known++;

        // The next access begins no sooner than _clock: what is known by then nobody waits for.
        if (known <= _clock)
        {
            _awaited = _done <= _clock ? 0 : _awaited & ~_facts.Writes;
            return;
        }

        for (uint left = _facts.Writes; left != 0; left &= left - 1)
            _known[BitOperations.TrailingZeroCount(left)] = known;
        _awaited |= _facts.Writes;
        if (_facts.Writes != 0)
            _done = Math.Max(_done, known);
    }

    private ulong LatestOf(uint registers, ulong at)
    {
        for (uint left = registers & _awaited; left != 0; left &= left - 1)
            at = Math.Max(at, _known[BitOperations.TrailingZeroCount(left)]);
        return at;
    }
}
