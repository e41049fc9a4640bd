namespace Mmu86.Paging;

/// <summary>Which levels of a machine the translation filter may answer for. Elsewhere each access is looked up in the model, at a cost in host time only.</summary>
public static class FilterCoverage
{
    /// <summary>Whether hits of first-level data accesses are answered by the filter.</summary>
    public static bool AnswersData(TlbLevelConfiguration level) => level.Arrays.Count != 0 && level.Arrays.All(IsSettled);

    /// <summary>Whether fetches within one page need no lookup each.</summary>
    /// <remarks>
    /// The fetch that filled the entry must count as a hit, and nothing but a fetch may take the entry away: an inclusive second level does
    /// where a data access evicts its copy.
    /// </remarks>
    public static bool AnswersFetches(TlbLevelConfiguration level, TlbLevelConfiguration below) =>
        AnswersData(level) && level.Arrays.All(array => array.Replacement != Replacement.Srrip) && below.Inclusion != Inclusion.Inclusive;

    /// <summary>Whether using the entry used last again changes nothing.</summary>
    internal static bool IsSettled(TlbArrayConfiguration array) =>
        array.Replacement != Replacement.Permutation || array.Permutations is null || PermutationOrder.IsSettled(array.Permutations);
}
