namespace Mmu86.Lab.Pages;

/// <summary>How lines are drawn.</summary>
public enum LineStyle
{
    /// <summary>Each point has a mark: few measured values.</summary>
    Points,

    /// <summary>Lines alone over a light ground: many values, as over time.</summary>
    Course,

    /// <summary>Each upon the one before: parts of a whole over time.</summary>
    Stacked,
}
