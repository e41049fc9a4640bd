using System.Text.Json.Serialization;

namespace Mmu86.Lab.Reports;

/// <summary>Counts by page size. Null where a structure does not hold the size.</summary>
public sealed record PageSizeCounts
{
    /// <summary>4 KiB pages.</summary>
    [JsonPropertyName("4k")]
    public SizeCounts? Size4K { get; init; }

    /// <summary>2 MiB pages.</summary>
    [JsonPropertyName("2m")]
    public SizeCounts? Size2M { get; init; }

    /// <summary>1 GiB pages.</summary>
    [JsonPropertyName("1g")]
    public SizeCounts? Size1G { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public PageSizeCounts Since(PageSizeCounts earlier) => new()
    {
        Size4K = earlier.Size4K is null ? Size4K : Size4K?.Since(earlier.Size4K),
        Size2M = earlier.Size2M is null ? Size2M : Size2M?.Since(earlier.Size2M),
        Size1G = earlier.Size1G is null ? Size1G : Size1G?.Since(earlier.Size1G),
    };
}
