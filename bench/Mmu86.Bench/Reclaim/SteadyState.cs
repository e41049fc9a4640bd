namespace Mmu86.Bench.Reclaim;

/// <summary>What a host did from the first eviction on, with every machine running, to the end of the first machine.</summary>
internal sealed record SteadyState
{
    /// <summary>What was counted: the same in every run.</summary>
    public required SteadyCounts Counts { get; init; }

    /// <summary>How often each <see cref="HostWork"/> was seen, by its number; empty where nobody looked.</summary>
    public required IReadOnlyList<int> Looks { get; init; }

    /// <summary>CPU time of the thread, in seconds.</summary>
    public required double CpuSeconds { get; init; }
}

/// <summary>What is counted of a steady state.</summary>
/// <param name="VirtualNanoseconds">How long it lasted.</param>
/// <param name="Instructions">Instructions retired.</param>
/// <param name="Evicted">Frames evicted.</param>
/// <param name="SwappedIn">Frames that came back.</param>
/// <param name="FlagsCleared">Accessed flags cleared.</param>
internal readonly record struct SteadyCounts(ulong VirtualNanoseconds, ulong Instructions, ulong Evicted, ulong SwappedIn, ulong FlagsCleared)
{
    /// <summary>What was counted between two moments.</summary>
    public static SteadyCounts operator -(SteadyCounts end, SteadyCounts start) => new(
        end.VirtualNanoseconds - start.VirtualNanoseconds,
        end.Instructions - start.Instructions,
        end.Evicted - start.Evicted,
        end.SwappedIn - start.SwappedIn,
        end.FlagsCleared - start.FlagsCleared);
}
