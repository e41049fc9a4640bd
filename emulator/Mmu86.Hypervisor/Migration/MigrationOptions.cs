using Mmu86.Hypervisor.DirtyLogging;

namespace Mmu86.Hypervisor.Migration;

/// <summary>How a machine is moved while it runs.</summary>
public sealed record MigrationOptions
{
    /// <summary>2^30 bytes a second: what a network of 10 Gbit/s carries.</summary>
    public const ulong DefaultBandwidth = 1UL << 30;

    /// <summary>A tenth of a virtual millisecond one way.</summary>
    public const ulong DefaultLatencyNanoseconds = 100_000;

    /// <summary>Rounds while the machine runs, at most.</summary>
    public const int DefaultMostRounds = 30;

    /// <summary>Downtime that is aimed at: 2 virtual milliseconds.</summary>
    public const ulong DefaultDowntimeNanoseconds = 2_000_000;

    /// <summary>Bytes that the stream carries in a virtual second. Not 0.</summary>
    public required ulong BandwidthBytesPerSecond { get; init; }

    /// <summary>Virtual nanoseconds from one end to the other.</summary>
    public required ulong LatencyNanoseconds { get; init; }

    /// <summary>Rounds while the machine runs; then it stops, whatever is left. At least 1.</summary>
    public required int MostRounds { get; init; }

    /// <summary>The machine is stopped when what is left can be sent in so many virtual nanoseconds, its state not counted.</summary>
    public required ulong DowntimeNanoseconds { get; init; }

    /// <summary>How it is found out what the machine writes meanwhile.</summary>
    public required DirtyLogMethod Method { get; init; }

    /// <summary>Virtual nanoseconds until bytes sent now have arrived.</summary>
    public ulong TransferNanoseconds(ulong bytes) =>
        LatencyNanoseconds + (ulong)((((UInt128)bytes * 1_000_000_000) + BandwidthBytesPerSecond - 1) / BandwidthBytesPerSecond);
}
