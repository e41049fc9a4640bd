namespace Mmu86.Lab.Reports;

/// <summary>What the run cost the computer that emulates. The only part of a report that varies from run to run.</summary>
public sealed record HostReport
{
    /// <summary>CPU time of the threads that ran the guest, in seconds, from its first to its last instruction.</summary>
    public required double Seconds { get; init; }

    /// <summary>Elapsed time of the same, in seconds.</summary>
    public required double WallSeconds { get; init; }

    /// <summary>Instructions / seconds / 10^6. Null where the run was too short for the host's clock.</summary>
    public double? Mips { get; init; }

    /// <summary>Reports a duration, rounded to microseconds.</summary>
    /// <param name="instructions">Retired instructions of the run.</param>
    /// <param name="cpu">CPU time.</param>
    /// <param name="wall">Elapsed time.</param>
    public static HostReport From(long instructions, TimeSpan cpu, TimeSpan wall) => new()
    {
        Seconds = Math.Round(cpu.TotalSeconds, 6),
        WallSeconds = Math.Round(wall.TotalSeconds, 6),
        Mips = cpu > TimeSpan.Zero ? Math.Round(instructions / cpu.TotalSeconds / 1e6, 3) : null,
    };
}
