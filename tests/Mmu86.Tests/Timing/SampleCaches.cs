using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.Timing;

namespace Mmu86.Tests.Timing;

/// <summary>Caches whose numbers are easy to add: 5, 16, 70 and 200 cycles.</summary>
internal static class SampleCaches
{
    public const int L1 = 5, L2 = 16, L3 = 70, Memory = 200;

    public static TranslationLatencies Latencies { get; } = new() { L2HitCycles = 7, WalkStartCycles = 10, WalkReferenceCycles = 99 };

    public static CacheConfiguration Cache(long bytes, int ways, int latency, CacheReplacement replacement) =>
        new() { SizeInBytes = bytes, Ways = ways, LineBytes = 64, LatencyCycles = latency, Replacement = replacement };

    public static CachesConfiguration Caches(int overlap, int walkers) => new()
    {
        L1Instruction = Cache(4096, 4, L1, CacheReplacement.TreePlru),
        L1Data = Cache(4096, 4, L1, CacheReplacement.Lru),
        L2 = Cache(32768, 8, L2, CacheReplacement.TreePlru),
        L3 = Cache(12 * 64 * 96, 12, L3, CacheReplacement.Lru),
        MemoryLatencyCycles = Memory,
        OverlappingAccesses = overlap,
        Walkers = walkers,
        WalksEnterAt = WalkEntryPoint.L1Data,
    };

    public static uint Bit(int register) => 1u << register;
}
