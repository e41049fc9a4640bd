namespace Mmu86.Paging;

/// <summary>What the host's registers say of memory types below AMD's nested paging. APM 2, "Combining Memory Types, MTRRs".</summary>
/// <remarks>The guest's are in its <see cref="PagingContext"/>: its PAT is gPAT, and its MTRRs have no part.</remarks>
public sealed record NestedHostMemory
{
    /// <summary>IA32_PAT after reset: WB, WT, UC-, UC, twice.</summary>
    public const ulong PatAfterReset = 0x0007_0406_0007_0406;

    /// <summary>The host's registers after reset, without MTRRs.</summary>
    public static NestedHostMemory Default { get; } = new();

    /// <summary>The host's IA32_PAT: eight memory types, a byte each.</summary>
    public ulong Pat { get; init; } = PatAfterReset;

    /// <summary>The host's MTRRs; null where there are none, and all memory is write-back.</summary>
    public IMemoryTypeRanges? MemoryTypes { get; init; }

    /// <summary>Whether the host's CR0.CD=1: no access is cached.</summary>
    public bool IsCacheDisabled { get; init; }
}
