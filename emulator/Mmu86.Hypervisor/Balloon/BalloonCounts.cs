using Mmu86.Memory;

namespace Mmu86.Hypervisor.Balloon;

/// <summary>What a guest's balloon said that cannot be, or could not be done. None of it harms anyone but the guest.</summary>
/// <remarks>Frames that were used before they were given back are <see cref="GuestMemoryCounts.BalloonedTouched"/>.</remarks>
public sealed class BalloonCounts
{
    /// <summary>Frames to inflate or deflate that are no RAM of the guest: beyond its end, or in the device hole.</summary>
    public ulong OutsideMemory { get; internal set; }

    /// <summary>Frames to inflate that were in the balloon already.</summary>
    public ulong InflatedTwice { get; internal set; }

    /// <summary>Frames to deflate that were not in the balloon.</summary>
    public ulong DeflatedUnknown { get; internal set; }

    /// <summary>Frames to inflate that stay what they were: the host had no frame for a table.</summary>
    public ulong WithoutTable { get; internal set; }

    /// <summary>Reports of free memory that is not all RAM.</summary>
    public ulong ReportsRefused { get; internal set; }

    /// <summary>Buffers that were too long, or lay outside RAM.</summary>
    public ulong BuffersRefused { get; internal set; }

    /// <summary>Statistics received.</summary>
    public ulong StatisticsReceived { get; internal set; }

    internal void Save(StateWriter writer) => writer.WriteArray<ulong>([OutsideMemory, InflatedTwice, DeflatedUnknown, WithoutTable, ReportsRefused, BuffersRefused, StatisticsReceived]);

    internal void Load(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[7];
        reader.ReadArray("counts", counts);
        (OutsideMemory, InflatedTwice, DeflatedUnknown, WithoutTable, ReportsRefused, BuffersRefused, StatisticsReceived) =
            (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], counts[6]);
    }
}
