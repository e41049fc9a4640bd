using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>First-level LRU arrays for pages of one size, with linear index: every set count with every number of ways.</summary>
public sealed record LruFamilyRequest
{
    /// <summary>Whether the array serves fetches; otherwise loads and stores.</summary>
    public required bool IsInstruction { get; init; }

    /// <summary>The page size of its entries.</summary>
    public required PageSize PageSize { get; init; }

    /// <summary>The numbers of sets, powers of two, ascending; exactly 1 for fully associative arrays.</summary>
    public required IReadOnlyList<int> Sets { get; init; }

    /// <summary>The numbers of ways, ascending.</summary>
    public required IReadOnlyList<int> Ways { get; init; }

    /// <summary>Whether only one set is asked for, and more ways than a set of the family can have.</summary>
    public bool IsFullyAssociative => Sets is [1] && Ways[^1] > OnePass.LruFamilyGeometry.WaysLimit;

    /// <summary>How many arrays it has.</summary>
    public int Count => Sets.Count * Ways.Count;
}
