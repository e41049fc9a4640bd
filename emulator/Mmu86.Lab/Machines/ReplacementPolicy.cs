using Mmu86.Paging;

namespace Mmu86.Lab.Machines;

/// <summary>A replacement policy as a machine description names it.</summary>
/// <param name="Replacement">The policy.</param>
/// <param name="Name">Its name in a description.</param>
/// <param name="Meaning">What gives way, in a line.</param>
public sealed record ReplacementPolicy(Replacement Replacement, string Name, string Meaning)
{
    /// <summary>All policies, in the order in which a description's rules name them.</summary>
    public static IReadOnlyList<ReplacementPolicy> All { get; } =
        [.. Enum.GetValues<Replacement>().Select(replacement => new ReplacementPolicy(replacement, NameOf(replacement), MeaningOf(replacement)))];

    private static string NameOf(Replacement replacement) => System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(replacement.ToString());

    private static string MeaningOf(Replacement replacement) => replacement switch
    {
        Replacement.Lru => "the entry used longest ago gives way",
        Replacement.TreePlru => "tree pseudo-LRU: one bit a node points away from the last use; ways a power of two",
        Replacement.Mru3Plru => "three tree-PLRU groups; a fill goes to the group after the one used last; ways three times a power of two",
        Replacement.Fifo => "the entry filled longest ago gives way",
        Replacement.Random => "any entry, by the seed",
        Replacement.Nru => "not recently used: one bit an entry, set by use; the lowest way without it gives way",
        Replacement.Srrip => "re-reference prediction with 2 bits: filled at 2, 0 after a hit, the lowest way at 3 gives way",
        Replacement.Permutation => "a list of the ways that each hit and fill permutes as 'permutations' say",
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
