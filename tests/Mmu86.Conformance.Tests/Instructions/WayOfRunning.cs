namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>How a CPU goes about running code. Results and counts must not depend on it.</summary>
internal sealed record WayOfRunning
{
    /// <summary>Fast handlers, long blocks, room for all of them, one run.</summary>
    public static WayOfRunning Straight { get; } = new() { LooksUpEveryAccess = false, MaximumMicroOps = 1 << 16, InstructionsARun = ulong.MaxValue };

    /// <summary>No filter, and so single steps.</summary>
    public required bool LooksUpEveryAccess { get; init; }

    /// <summary>Room for decoded code; decoded anew when it is used up.</summary>
    public required int MaximumMicroOps { get; init; }

    /// <summary>After how many instructions the CPU is asked to stop and go on.</summary>
    public required ulong InstructionsARun { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{(LooksUpEveryAccess ? "every access looked up" : "with a filter")}, {MaximumMicroOps} micro-ops, {InstructionsARun} instructions a run";
}
