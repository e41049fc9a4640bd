namespace Mmu86.Lab.Pages;

/// <summary>Bars of one colour.</summary>
/// <param name="Name">Their name in the legend.</param>
/// <param name="Values">One for each category; null where there is none.</param>
public sealed record BarSeries(string Name, IReadOnlyList<double?> Values);
