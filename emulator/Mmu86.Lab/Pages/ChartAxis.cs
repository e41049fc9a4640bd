namespace Mmu86.Lab.Pages;

/// <summary>One axis of a chart.</summary>
/// <param name="Name">What is along it, with its unit.</param>
/// <param name="Format">How its values are written.</param>
/// <param name="Scale">How they are laid.</param>
public sealed record ChartAxis(string Name, ValueFormat Format, AxisScale Scale);
