namespace Mmu86.Lab.Reports;

/// <summary>The use of a port or an address where nobody is.</summary>
public sealed record UnclaimedUse
{
    /// <summary>Reads; each gave all ones.</summary>
    public required long Reads { get; init; }

    /// <summary>Writes; each was dropped.</summary>
    public required long Writes { get; init; }

    /// <summary>RIP of the first instruction that used it, as <c>0x...</c>.</summary>
    public required string FirstRip { get; init; }
}
