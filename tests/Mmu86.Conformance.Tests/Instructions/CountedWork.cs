using Mmu86.Cpu;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>The counters of a CPU, to be compared with those of another.</summary>
internal readonly record struct CountedWork(
    ulong Instructions, ulong RepIterations, ulong Loads, ulong Stores, ulong Splits, ulong Implicit, ulong PageFaults, ulong DataLookups, ulong FetchLookups)
{
    /// <summary>The counters as they are now.</summary>
    public static CountedWork Of(CpuCounters counters) => new(
        counters.Instructions,
        counters.RepIterations,
        counters.Loads,
        counters.Stores,
        counters.Splits,
        counters.Implicit,
        counters.PageFaults,
        counters.DataLookups,
        counters.FetchLookups);

    /// <summary>What was counted between two moments.</summary>
    public static CountedWork operator -(CountedWork left, CountedWork right) => new(
        left.Instructions - right.Instructions,
        left.RepIterations - right.RepIterations,
        left.Loads - right.Loads,
        left.Stores - right.Stores,
        left.Splits - right.Splits,
        left.Implicit - right.Implicit,
        left.PageFaults - right.PageFaults,
        left.DataLookups - right.DataLookups,
        left.FetchLookups - right.FetchLookups);
}
