using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>What a machine has of its host, and what was done for it.</summary>
public readonly record struct MachineUsage
{
    /// <summary>Frames of its memory that have one of the host for themselves.</summary>
    public required ulong ResidentFrames { get; init; }

    /// <summary>Frames of its memory that have one of the host together with others.</summary>
    public required ulong SharedFrames { get; init; }

    /// <summary>Frames of its memory whose bytes are swapped.</summary>
    public required ulong SwappedFrames { get; init; }

    /// <summary>Frames of its memory that are in its balloon.</summary>
    public required ulong BalloonedFrames { get; init; }

    /// <summary>Frames of its nested tables.</summary>
    public required ulong TableFrames { get; init; }

    /// <summary>Frames that wait in its reserve.</summary>
    public required ulong ReservedFrames { get; init; }

    /// <summary>Pages read from swap so far.</summary>
    public required ulong SwappedIn { get; init; }

    /// <summary>Pages written to swap so far.</summary>
    public required ulong SwappedOut { get; init; }

    /// <summary>Nested faults answered with a fresh page so far.</summary>
    public required ulong PagesPopulated { get; init; }

    internal void Save(StateWriter writer) => writer.WriteArray<ulong>([
        ResidentFrames, SharedFrames, SwappedFrames, BalloonedFrames, TableFrames, ReservedFrames, SwappedIn, SwappedOut, PagesPopulated]);

    internal static MachineUsage Load(StateReader reader, string field)
    {
        Span<ulong> counts = stackalloc ulong[9];
        reader.ReadArray(field, counts);
        return new MachineUsage
        {
            ResidentFrames = counts[0],
            SharedFrames = counts[1],
            SwappedFrames = counts[2],
            BalloonedFrames = counts[3],
            TableFrames = counts[4],
            ReservedFrames = counts[5],
            SwappedIn = counts[6],
            SwappedOut = counts[7],
            PagesPopulated = counts[8],
        };
    }

    internal static MachineUsage Most(in MachineUsage left, in MachineUsage right) => new()
    {
        ResidentFrames = Math.Max(left.ResidentFrames, right.ResidentFrames),
        SharedFrames = Math.Max(left.SharedFrames, right.SharedFrames),
        SwappedFrames = Math.Max(left.SwappedFrames, right.SwappedFrames),
        BalloonedFrames = Math.Max(left.BalloonedFrames, right.BalloonedFrames),
        TableFrames = Math.Max(left.TableFrames, right.TableFrames),
        ReservedFrames = Math.Max(left.ReservedFrames, right.ReservedFrames),
        SwappedIn = Math.Max(left.SwappedIn, right.SwappedIn),
        SwappedOut = Math.Max(left.SwappedOut, right.SwappedOut),
        PagesPopulated = Math.Max(left.PagesPopulated, right.PagesPopulated),
    };
}
