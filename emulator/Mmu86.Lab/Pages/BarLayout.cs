namespace Mmu86.Lab.Pages;

/// <summary>Where the bars of one category are.</summary>
public enum BarLayout
{
    /// <summary>Beside each other: to be compared.</summary>
    Grouped,

    /// <summary>One behind the other: parts of a whole.</summary>
    Stacked,
}
