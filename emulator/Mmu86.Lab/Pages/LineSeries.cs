namespace Mmu86.Lab.Pages;

/// <summary>One line.</summary>
/// <param name="Name">Its name in the legend.</param>
/// <param name="Points">Its points, X ascending.</param>
public sealed record LineSeries(string Name, IReadOnlyList<ChartPoint> Points);
