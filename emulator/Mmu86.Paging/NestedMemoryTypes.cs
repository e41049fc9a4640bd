using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>How AMD's nested paging merges memory types: guest's PAT with the host's, and that with the host's MTRRs.</summary>
/// <remarks>
/// APM 2, "Combining Memory Types, MTRRs". The host's PAT is meant to stand for the MTRRs that a guest does not have. Cells that could not be held
/// against a text that cites the manual are marked in the conformance book (row N10).
/// </remarks>
internal static class NestedMemoryTypes
{
    /// <summary>The combined PAT type.</summary>
    /// <param name="guest">What gPAT says for the guest's entry.</param>
    /// <param name="host">What the host's PAT says for the nested entry.</param>
    public static MemoryType CombinePats(MemoryType guest, MemoryType host) => guest switch
    {
        MemoryType.UncacheableMinus when host is MemoryType.UncacheableMinus or MemoryType.WriteCombining => host,
        MemoryType.WriteCombining => IsCacheable(host) ? MemoryType.WriteCombiningPlus : MemoryType.WriteCombining,
        MemoryType.WriteProtected or MemoryType.WriteThrough when host == guest || host == MemoryType.WriteBack => guest,
        MemoryType.WriteBack when host != MemoryType.UncacheableMinus => host,
        _ => MemoryType.Uncacheable,
    };

    /// <summary>The effective type.</summary>
    /// <param name="pat">The combined PAT type.</param>
    /// <param name="range">What the host's MTRRs say of the host-physical address.</param>
    public static MemoryType CombineWithRange(MemoryType pat, MemoryType range) => pat switch
    {
        MemoryType.WriteCombining => MemoryType.WriteCombining,
        MemoryType.WriteCombiningPlus => IsCacheable(range) ? MemoryType.WriteCombiningPlus : MemoryType.WriteCombining,
        _ when range == MemoryType.Uncacheable => MemoryType.Uncacheable,
        MemoryType.UncacheableMinus when range == MemoryType.WriteCombining => MemoryType.WriteCombining,
        MemoryType.WriteProtected or MemoryType.WriteThrough when range == pat || range == MemoryType.WriteBack => pat,
        MemoryType.WriteBack => range,
        _ => MemoryType.CacheDisable,
    };

    private static bool IsCacheable(MemoryType type) => type is MemoryType.WriteThrough or MemoryType.WriteProtected or MemoryType.WriteBack;
}
