namespace Mmu86.Lab.Machines;

/// <summary>One TLB as AMD reports it: leaves 80000005H (first level), 80000006H (second level) and 80000019H (1 GiB pages). APM 3, appendix E.</summary>
public sealed record CpuidExtendedTlb
{
    /// <summary>What it translates.</summary>
    public required CpuidTlbKind Kind { get; init; }

    /// <summary>The level, 1 or 2.</summary>
    public required int Level { get; init; }

    /// <summary>The page size: 4k, 2m or 1g.</summary>
    public required string PageSize { get; init; }

    /// <summary>Entries, 1 to 4095; 1 to 255 where one byte has to hold them: in the first level, but for 1g.</summary>
    public required int Entries { get; init; }

    /// <summary>Ways; equal to entries for fully associative. The leaves have codes for ranges: what they cannot express is rounded down.</summary>
    public required int Ways { get; init; }
}
