namespace Mmu86.Lab.Pages;

/// <summary>How values are written on axes and in tooltips.</summary>
public enum ValueFormat
{
    /// <summary>An integer, with its thousands divided.</summary>
    Count,

    /// <summary>A ratio, written in percent.</summary>
    Ratio,

    /// <summary>A number with some three digits that mean something.</summary>
    Number,
}
