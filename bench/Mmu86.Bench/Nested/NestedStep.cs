namespace Mmu86.Bench.Nested;

/// <summary>One step of the ladder: what nested walks are helped by, each step all of the one before and one thing more.</summary>
/// <param name="Name">What is added.</param>
/// <param name="Overrides">What the machine differs in from the preset.</param>
/// <param name="HasLargeHostPages">Whether the second dimension maps 2 MiB at a time.</param>
internal sealed record NestedStep(string Name, IReadOnlyList<string> Overrides, bool HasLargeHostPages)
{
    private static readonly string[] s_guestCaches = ["pml4e", "pdpte", "pde"];
    private static readonly string[] s_hostCaches = ["eptPml4e", "eptPdpte", "eptPde"];
    private static readonly string[] s_nestedTlb = ["nestedTlb"];

    /// <summary>From nothing to everything.</summary>
    public static IReadOnlyList<NestedStep> Ladder { get; } =
    [
        new("no structure caches", [.. Without([.. s_guestCaches, .. s_hostCaches, .. s_nestedTlb])], HasLargeHostPages: false),
        new("one dimension", [.. Without([.. s_hostCaches, .. s_nestedTlb])], HasLargeHostPages: false),
        new("two dimensions", [.. Without(s_nestedTlb)], HasLargeHostPages: false),
        new("nested TLB", [], HasLargeHostPages: false),
        new("host pages of 2 MiB", [], HasLargeHostPages: true),
    ];

    private static IEnumerable<string> Without(IEnumerable<string> caches) =>
        caches.Select(cache => $"mmu.structureCaches.{cache}={{\"entries\":0,\"ways\":0,\"replacement\":\"lru\"}}");
}
