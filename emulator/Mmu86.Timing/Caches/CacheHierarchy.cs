using Mmu86.Memory;
using Mmu86.Paging;

namespace Mmu86.Timing;

/// <summary>The caches of a machine and the memory behind them. Every line that is referred to is filled into each cache on its way.</summary>
public sealed class CacheHierarchy
{
    private readonly SetAssociativeCache _l1Instruction;
    private readonly SetAssociativeCache _l1Data;
    private readonly SetAssociativeCache? _l2;
    private readonly SetAssociativeCache? _l3;
    private readonly int _memoryLatency;
    private readonly bool _walksUseL1;
    private ulong _lastFetched = ulong.MaxValue;

    /// <summary>Makes empty caches.</summary>
    public CacheHierarchy(CachesConfiguration configuration)
    {
        _l1Instruction = new SetAssociativeCache(configuration.L1Instruction);
        _l1Data = new SetAssociativeCache(configuration.L1Data);
        _l2 = configuration.L2 is { } l2 ? new SetAssociativeCache(l2) : null;
        _l3 = configuration.L3 is { } l3 ? new SetAssociativeCache(l3) : null;
        _memoryLatency = configuration.MemoryLatencyCycles;
        _walksUseL1 = configuration.WalksEnterAt == WalkEntryPoint.L1Data;
    }

    /// <summary>Load to use of what no cache holds, in cycles.</summary>
    public int MemoryLatency => _memoryLatency;

    /// <summary>The line of a host-physical address.</summary>
    public ulong Line(ulong address) => _l1Data.Line(address);

    /// <summary>What each cache counted, in the order l1i, l1d, l2, l3.</summary>
    public IReadOnlyList<CacheStatistics> Statistics
    {
        get
        {
            List<CacheStatistics> statistics = [Read("l1i", _l1Instruction), Read("l1d", _l1Data)];
            if (_l2 is { } l2)
                statistics.Add(Read("l2", l2));
            if (_l3 is { } l3)
                statistics.Add(Read("l3", l3));
            return statistics;
        }
    }

    /// <summary>A load or store.</summary>
    /// <returns>Load to use, in cycles.</returns>
    public int Access(ulong line) => _l1Data.Refer(line) ? _l1Data.Latency : Below(line);

    /// <summary>A fetch.</summary>
    /// <returns>Cycles beyond those of a hit in the first level, which the pipeline hides.</returns>
    public int Fetch(ulong line)
    {
        if (line == _lastFetched)
        {
            _l1Instruction.ReferAgain();
            return 0;
        }

        _lastFetched = line;
        return _l1Instruction.Refer(line) ? 0 : Math.Max(0, Below(line) - _l1Instruction.Latency);
    }

    /// <summary>A reference of a walk.</summary>
    /// <returns>Where it was found.</returns>
    public MemoryLevel Walk(ulong line)
    {
        if (_walksUseL1 && _l1Data.ReferOfWalk(line))
            return MemoryLevel.L1Data;
        if (_l2 is null)
            return MemoryLevel.Memory;
        if (_l2.ReferOfWalk(line))
            return MemoryLevel.L2;
        return _l3 is not null && _l3.ReferOfWalk(line) ? MemoryLevel.L3 : MemoryLevel.Memory;
    }

    /// <summary>Where a walk would find each of the lines that it refers to; leaves no trace.</summary>
    /// <param name="lines">In the order of the walk, which meets again what it has just filled.</param>
    public MemoryLevel[] Forecast(ReadOnlySpan<ulong> lines)
    {
        var undo = new Stack<Action>();
        var found = new MemoryLevel[lines.Length];
        for (int i = 0; i < lines.Length; i++)
        {
            foreach (SetAssociativeCache? cache in (ReadOnlySpan<SetAssociativeCache?>)[_l1Data, _l2, _l3])
            {
                if (cache is not null)
                    undo.Push(cache.Remember(lines[i]));
            }

            found[i] = Walk(lines[i]);
        }

        while (undo.TryPop(out Action? restore))
            restore();
        return found;
    }

    /// <summary>Load to use of what a level answers, in cycles.</summary>
    /// <param name="level">A level that the machine has.</param>
    public int Latency(MemoryLevel level) => level switch
    {
        MemoryLevel.L1Data => _l1Data.Latency,
        MemoryLevel.L2 => _l2!.Latency,
        MemoryLevel.L3 => _l3!.Latency,
        MemoryLevel.Memory => _memoryLatency,
        _ => throw new ArgumentOutOfRangeException(nameof(level)),
    };

    /// <summary>Writes what the caches hold and counted.</summary>
    public void Save(StateWriter writer)
    {
        foreach (SetAssociativeCache? cache in All)
            cache?.Save(writer);
        writer.Write(_lastFetched);
    }

    /// <summary>Reads it back into empty caches: where the machine has other frames than it had, only what they counted.</summary>
    public void Load(StateReader reader)
    {
        bool isKept = reader.Addresses.AreUnchanged;
        foreach (SetAssociativeCache? cache in All)
        {
            cache?.Load(reader);
            if (!isKept)
                cache?.Empty();
        }

        ulong last = reader.ReadUInt64("lastFetched");
        _lastFetched = isKept ? last : ulong.MaxValue;
    }

    private ReadOnlySpan<SetAssociativeCache?> All => new([_l1Instruction, _l1Data, _l2, _l3]);

    private int Below(ulong line)
    {
        if (_l2 is null)
            return _memoryLatency;
        if (_l2.Refer(line))
            return _l2.Latency;
        return _l3 is not null && _l3.Refer(line) ? _l3.Latency : _memoryLatency;
    }

    private static CacheStatistics Read(string name, SetAssociativeCache cache) =>
        new(name, cache.References, cache.Hits, cache.WalkReferences, cache.WalkHits);
}
