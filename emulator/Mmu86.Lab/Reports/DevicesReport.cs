namespace Mmu86.Lab.Reports;

/// <summary>What devices of a bare-metal guest know at its end.</summary>
public sealed record DevicesReport
{
    /// <summary>The last POST code, as <c>0x..</c>.</summary>
    public string? LastPostCode { get; init; }
}
