using System.Text.Json.Serialization;

namespace Mmu86.Lab.Reports;

/// <summary>How a run ended, with the process exit status that says so.</summary>
public sealed record ExitReport
{
    /// <summary>The status of a run that died of a fault.</summary>
    public const int FaultStatus = 71;

    /// <summary>The status of a run that reached a limit.</summary>
    public const int LimitStatus = 75;

    /// <summary>The status of a run that was interrupted by SIGINT, as shells count: 128 and the signal.</summary>
    public const int InterruptedStatus = 130;

    /// <summary>How it ended.</summary>
    public required ExitKind Kind { get; init; }

    /// <summary>The exit status of the process: the guest's own where it exited.</summary>
    public required int Status { get; init; }

    /// <summary>The code that a guest wrote to its debug exit, of which <see cref="Status"/> is made; null where it ended otherwise.</summary>
    [JsonIgnore]
    public int? DebugCode { get; init; }

    /// <summary>Whether the guest says that all is well: status 0, or code 0 of the debug exit, whose status is 1.</summary>
    [JsonIgnore]
    public bool IsSuccess => (DebugCode ?? Status) == 0;

    /// <summary>One sentence without a full stop, or null where there is nothing to add.</summary>
    public string? Detail { get; init; }
}
