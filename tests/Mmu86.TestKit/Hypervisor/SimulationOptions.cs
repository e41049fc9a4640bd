using Mmu86.Hypervisor.Replacement;

namespace Mmu86.TestKit.Hypervisor;

/// <summary>A memory, and how often policies get to see accessed flags.</summary>
public sealed record SimulationOptions
{
    private const ulong NanosecondsPerAccess = 100;

    /// <summary>Frames of memory.</summary>
    public required int Frames { get; init; }

    /// <summary>Accesses between two ticks.</summary>
    public required int AccessesPerTick { get; init; }

    /// <summary>Accesses in which a scan passes all frames; 0: nothing is scanned.</summary>
    public required int AccessesPerScan { get; init; }

    /// <summary>Accesses that WSClock's window is long.</summary>
    public required int AccessesPerWindow { get; init; }

    /// <summary>The seed of the random policy.</summary>
    public required ulong Seed { get; init; }

    /// <summary>A scan after every access: flags show the exact order of references.</summary>
    public static SimulationOptions Exact(int frames) => new()
    {
        Frames = frames,
        AccessesPerTick = 1,
        AccessesPerScan = 1,
        AccessesPerWindow = 2 * frames,
        Seed = 1,
    };

    /// <summary>A scan in so many accesses, in eight parts.</summary>
    public static SimulationOptions Sampled(int frames, int accessesPerScan) => new()
    {
        Frames = frames,
        AccessesPerTick = Math.Max(1, accessesPerScan / 8),
        AccessesPerScan = accessesPerScan,
        AccessesPerWindow = 2 * frames,
        Seed = 1,
    };

    /// <summary>No scan: flags are seen only when a victim is chosen.</summary>
    public static SimulationOptions Unscanned(int frames) => Exact(frames) with { AccessesPerScan = 0 };

    /// <summary>Nanoseconds that pass in a tick.</summary>
    internal ulong TickNanoseconds => (ulong)AccessesPerTick * NanosecondsPerAccess;

    /// <summary>The policy's options.</summary>
    internal ReplacementOptions ForPolicy(RecordedFuture? future) => new()
    {
        MaxResidentFrames = Frames,
        FrameLimit = ReplacementOptions.MostFrames,
        Seed = Seed,
        ScanPeriodNanoseconds = AccessesPerScan == 0 ? ulong.MaxValue : (ulong)AccessesPerScan * NanosecondsPerAccess,
        FramesScannedPerMillisecond = int.MaxValue,
        WorkingSetNanoseconds = (ulong)AccessesPerWindow * NanosecondsPerAccess,
        Future = future,
    };
}
