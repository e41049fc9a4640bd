namespace Mmu86.Tests.Paging;

/// <summary>Which page sizes a random stream meets most.</summary>
public enum PageMix
{
    MostlySmall,
    MostlyLarge,

    /// <summary>Small pages in runs of alike ones with contiguous frames, but for a few: what coalesced entries need.</summary>
    Runs,
}
