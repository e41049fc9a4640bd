namespace Mmu86.Lab.Pages;

/// <summary>A point of a line.</summary>
/// <param name="X">Along the horizontal axis.</param>
/// <param name="Y">Along the vertical axis.</param>
public readonly record struct ChartPoint(double X, double Y);
