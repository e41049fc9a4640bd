namespace Mmu86.TestKit.Paging;

/// <summary>Which of the two tables an entry belongs to.</summary>
public enum WalkDimension
{
    Guest,
    Ept,
}
