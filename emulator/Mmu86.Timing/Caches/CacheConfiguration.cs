namespace Mmu86.Timing;

/// <summary>One cache of memory: its geometry and what a hit costs.</summary>
public sealed record CacheConfiguration
{
    /// <summary>Bytes that it holds: a multiple of ways times line size. The sets that follow need not be a power of two.</summary>
    public required long SizeInBytes { get; init; }

    /// <summary>Lines of a set.</summary>
    public required int Ways { get; init; }

    /// <summary>Bytes of a line: a power of two, the same in all caches of a machine.</summary>
    public required int LineBytes { get; init; }

    /// <summary>Load to use: cycles from the begin of a load that hits here to the moment at which its value can be used.</summary>
    public required int LatencyCycles { get; init; }

    /// <summary>Which line gives way.</summary>
    public required CacheReplacement Replacement { get; init; }
}
