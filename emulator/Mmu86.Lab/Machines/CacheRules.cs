using System.Numerics;
using Mmu86.Lab.Configuration;
using Mmu86.Timing;

namespace Mmu86.Lab.Machines;

/// <summary>What the section <c>caches</c> of a machine description must obey beyond its shape.</summary>
internal sealed class CacheRules
{
    /// <summary>The largest cache, in bytes: beyond any silicon, and its tags still fit into our own memory.</summary>
    public const long MaximumBytes = 1L << 29;

    /// <summary>The most ways of a cache.</summary>
    public const int MaximumWays = 64;

    /// <summary>The most loads and stores under way at once.</summary>
    public const int MaximumOverlap = 64;

    /// <summary>The most page-table walkers.</summary>
    public const int MaximumWalkers = 16;

    private readonly List<ConfigurationError> _errors = [];

    private CacheRules()
    {
    }

    /// <summary>Everything that is wrong with the section.</summary>
    public static IReadOnlyList<ConfigurationError> Check(CachesConfiguration caches)
    {
        var rules = new CacheRules();
        rules.CheckCache(caches.L1Instruction, "caches.l1Instruction");
        rules.CheckCache(caches.L1Data, "caches.l1Data");
        if (caches.L2 is { } l2)
            rules.CheckCache(l2, "caches.l2");
        if (caches.L3 is { } l3)
            rules.CheckCache(l3, "caches.l3");
        if (caches is { L2: null, L3: not null })
            rules.Refuse("caches.l3", "needs a second level, caches.l2");
        if (caches is { L2: null, WalksEnterAt: WalkEntryPoint.L2 })
            rules.Refuse("caches.walksEnterAt", "must be l1Data: there is no caches.l2");
        rules.CheckRange(caches.MemoryLatencyCycles, 0, MachineRules.MaximumCycles, "caches.memoryLatencyCycles");
        rules.CheckRange(caches.OverlappingAccesses, 1, MaximumOverlap, "caches.overlappingAccesses");
        rules.CheckRange(caches.Walkers, 1, MaximumWalkers, "caches.walkers");
        rules.CheckAgainstEachOther(caches);
        return rules._errors;
    }

    private void CheckCache(CacheConfiguration cache, string path)
    {
        bool isLinePossible = cache.LineBytes is >= 16 and <= 4096 && BitOperations.IsPow2(cache.LineBytes);
        if (!isLinePossible)
            Refuse($"{path}.lineBytes", $"must be a power of two from 16 to 4096, not {cache.LineBytes}");
        bool areWaysPossible = CheckRange(cache.Ways, 1, MaximumWays, $"{path}.ways");
        if (areWaysPossible && cache.Replacement == CacheReplacement.TreePlru && !BitOperations.IsPow2(cache.Ways))
            Refuse($"{path}.ways", $"must be a power of two for treePlru, not {cache.Ways}");
        CheckRange(cache.LatencyCycles, 0, MachineRules.MaximumCycles, $"{path}.latencyCycles");
        if (!CheckRange(cache.SizeInBytes, 1, MaximumBytes, $"{path}.sizeInBytes") || !isLinePossible || !areWaysPossible)
            return;
        long setBytes = (long)cache.Ways * cache.LineBytes;
        if (cache.SizeInBytes % setBytes != 0)
            Refuse($"{path}.sizeInBytes", $"must be a multiple of ways times lineBytes, {setBytes}, and {cache.SizeInBytes} is not");
    }

    // A lower level that answers sooner than the one above it is a typing error, and a line must be the same thing everywhere.
    private void CheckAgainstEachOther(CachesConfiguration caches)
    {
        (CacheConfiguration? Cache, string Path)[] levels =
            [(caches.L1Instruction, "caches.l1Instruction"), (caches.L1Data, "caches.l1Data"), (caches.L2, "caches.l2"), (caches.L3, "caches.l3")];
        int slowest = 0;
        foreach ((CacheConfiguration? cache, string path) in levels)
        {
            if (cache is null)
                continue;
            if (cache.LineBytes != caches.L1Data.LineBytes)
                Refuse($"{path}.lineBytes", $"must be {caches.L1Data.LineBytes} as in caches.l1Data, not {cache.LineBytes}");
            bool isFirst = ReferenceEquals(cache, caches.L1Instruction) || ReferenceEquals(cache, caches.L1Data);
            if (!isFirst && cache.LatencyCycles < slowest)
                Refuse($"{path}.latencyCycles", $"must be at least the {slowest} of the level above, not {cache.LatencyCycles}");
            slowest = Math.Max(slowest, cache.LatencyCycles);
        }

        if (caches.MemoryLatencyCycles < slowest)
            Refuse("caches.memoryLatencyCycles", $"must be at least the {slowest} of the slowest cache, not {caches.MemoryLatencyCycles}");
    }

    private bool CheckRange(long value, long least, long most, string path)
    {
        if (value >= least && value <= most)
            return true;
        Refuse(path, $"must be {least} to {most}, not {value}");
        return false;
    }

    private void Refuse(string path, string message) => _errors.Add(new ConfigurationError(path, message));
}
