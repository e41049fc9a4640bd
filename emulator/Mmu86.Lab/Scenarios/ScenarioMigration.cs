using Mmu86.Hypervisor.Migration;

namespace Mmu86.Lab.Scenarios;

/// <summary>A machine that moves to another host while it runs.</summary>
public sealed record ScenarioMigration
{
    /// <summary>The index of the machine.</summary>
    public required int Machine { get; init; }

    /// <summary>When it begins, in virtual nanoseconds; at the next barrier at which the machine runs.</summary>
    public required ulong AtNanoseconds { get; init; }

    /// <summary>How.</summary>
    public required MigrationOptions Options { get; init; }
}
