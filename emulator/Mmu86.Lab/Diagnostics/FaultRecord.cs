namespace Mmu86.Lab.Diagnostics;

/// <summary>A fault of a translation.</summary>
public sealed record FaultRecord
{
    /// <summary><c>pageFault</c> or <c>nonCanonical</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The error code of a page fault.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>In words.</summary>
    public required string Detail { get; init; }
}
