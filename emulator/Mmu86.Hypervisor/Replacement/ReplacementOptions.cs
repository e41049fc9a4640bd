using Mmu86.Loaders;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>How large a policy may grow, and its times.</summary>
public sealed record ReplacementOptions
{
    /// <summary>Ten virtual milliseconds: of the order of the clock tick at which textbooks age their counters.</summary>
    public const ulong DefaultScanPeriodNanoseconds = 10_000_000;

    /// <summary>1024 frames a virtual millisecond: at 20 ns a frame and a guest of 100 MIPS 0.2 percent of host time, and 2^21 frames (8 GiB) are scanned in two
    /// seconds, a fifteenth of the period at which ESX estimates working sets.</summary>
    public const int DefaultFramesScannedPerMillisecond = 1024;

    /// <summary>A hundred virtual milliseconds: the window that Tanenbaum, "Modern Operating Systems", uses for the working set.</summary>
    public const ulong DefaultWorkingSetNanoseconds = 100_000_000;

    /// <summary>No guest has more frames: 1 TiB.</summary>
    public const int MostFrames = 1 << 28;

    /// <summary>No frame of a guest has this number or a higher one: memory from 3 GiB on is behind a hole of 1 GiB.</summary>
    public const int MostFrameLimit = MostFrames + (1 << 18);

    /// <summary>The most frames that can be resident at once, 1 to <see cref="MostFrames"/>.</summary>
    public required int MaxResidentFrames { get; init; }

    /// <summary>Guest frame numbers are below this, at most <see cref="MostFrameLimit"/>. Books take room for every 512 frames of which one was ever known.</summary>
    public required int FrameLimit { get; init; }

    /// <summary>The seed of the random policy.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Policies that scan look at every frame once in this time, unless <see cref="FramesScannedPerMillisecond"/> makes it longer. At least 1.</summary>
    public required ulong ScanPeriodNanoseconds { get; init; }

    /// <summary>The most frames that a scan looks at in a virtual millisecond. At least 1.</summary>
    public required int FramesScannedPerMillisecond { get; init; }

    /// <summary>WSClock's window: a frame not used for longer is not in the working set.</summary>
    public required ulong WorkingSetNanoseconds { get; init; }

    /// <summary>The references to come; only OPT needs it, and nobody else sees it.</summary>
    public required RecordedFuture? Future { get; init; }

    /// <summary>The times above, and no future.</summary>
    /// <param name="maxResidentFrames">See <see cref="MaxResidentFrames"/>.</param>
    /// <param name="seed">See <see cref="Seed"/>.</param>
    public static ReplacementOptions Default(int maxResidentFrames, ulong seed) => new()
    {
        MaxResidentFrames = maxResidentFrames,
        FrameLimit = MostFrames,
        Seed = seed,
        ScanPeriodNanoseconds = DefaultScanPeriodNanoseconds,
        FramesScannedPerMillisecond = DefaultFramesScannedPerMillisecond,
        WorkingSetNanoseconds = DefaultWorkingSetNanoseconds,
        Future = null,
    };

    /// <summary>The times above for a guest with so many bytes of memory.</summary>
    /// <param name="memoryBytes">A multiple of 4096.</param>
    /// <param name="seed">See <see cref="Seed"/>.</param>
    public static ReplacementOptions ForGuest(ulong memoryBytes, ulong seed) =>
        Default((int)(memoryBytes >> 12), seed) with { FrameLimit = (int)new GuestPhysicalLayout(memoryBytes).Top.Frame.Value };

    /// <summary>Refuses values out of range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is; the message names it.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxResidentFrames, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxResidentFrames, MostFrames);
        ArgumentOutOfRangeException.ThrowIfLessThan(FrameLimit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(FrameLimit, MostFrameLimit);
        ArgumentOutOfRangeException.ThrowIfZero(ScanPeriodNanoseconds);
        ArgumentOutOfRangeException.ThrowIfLessThan(FramesScannedPerMillisecond, 1);
    }
}
