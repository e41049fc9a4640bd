namespace Mmu86.Tests.Paging;

/// <summary>Which page sizes a random stream meets most.</summary>
public enum PageMix
{
    MostlySmall,
    MostlyLarge,
}
