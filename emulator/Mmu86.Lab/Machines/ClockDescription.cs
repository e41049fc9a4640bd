namespace Mmu86.Lab.Machines;

/// <summary>The guest's only source of time: TSC, clock_gettime and timers follow it.</summary>
public sealed record ClockDescription
{
    /// <summary>What one count of the clock is.</summary>
    public required ClockSource Counts { get; init; }

    /// <summary>Counts in one second of guest time, 1 to 10^12. The TSC advances by one a count.</summary>
    public required long FrequencyHertz { get; init; }
}
