namespace Mmu86.Lab.Reports;

/// <summary>Translations that ended otherwise.</summary>
public sealed record FaultCounts
{
    /// <summary>#PF raised.</summary>
    public required long PageFaults { get; init; }

    /// <summary>VM exits for EPT violations. Null without EPT.</summary>
    public long? EptViolations { get; init; }

    /// <summary>VM exits for EPT misconfigurations. Null without EPT.</summary>
    public long? EptMisconfigurations { get; init; }

    /// <summary>VM exits for nested page faults. Null without nested paging, and on machines with EPT.</summary>
    public long? NestedPageFaults { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public FaultCounts Since(FaultCounts earlier) => new()
    {
        PageFaults = PageFaults - earlier.PageFaults,
        EptViolations = EptViolations - earlier.EptViolations,
        EptMisconfigurations = EptMisconfigurations - earlier.EptMisconfigurations,
        NestedPageFaults = NestedPageFaults - earlier.NestedPageFaults,
    };
}
