using Mmu86.Hypervisor.Migration;

namespace Mmu86.Lab.Scenarios;

/// <summary>What became of a migration. Times are virtual nanoseconds.</summary>
public sealed record VmsMigration
{
    /// <summary>The machine's name.</summary>
    public required string Machine { get; init; }

    /// <summary><c>completed</c>, <c>failed</c>, <c>machineEnded</c> (the guest was done before) or <c>neverBegun</c>.</summary>
    public required string Outcome { get; init; }

    /// <summary>Why it failed; null where it did not.</summary>
    public string? Detail { get; init; }

    /// <summary>When it began.</summary>
    public ulong? Began { get; init; }

    /// <summary>From its beginning to the machine's first instruction at the other end.</summary>
    public ulong? TotalTime { get; init; }

    /// <summary>For how long the machine stood still.</summary>
    public ulong? Downtime { get; init; }

    /// <summary>Bytes on the stream.</summary>
    public required ulong Bytes { get; init; }

    /// <summary>Pages sent with their bytes, each as often as it was sent.</summary>
    public required ulong Pages { get; init; }

    /// <summary>Pages of which only the number was sent.</summary>
    public required ulong ZeroPages { get; init; }

    /// <summary>The rounds; the last is the one in which the machine stood still.</summary>
    public required IReadOnlyList<MigrationRound> Rounds { get; init; }
}
