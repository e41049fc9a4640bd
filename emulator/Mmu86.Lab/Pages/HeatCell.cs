namespace Mmu86.Lab.Pages;

/// <summary>A cell of a heat map.</summary>
/// <param name="X">Which of the values across, from 0.</param>
/// <param name="Y">Which of the values upwards, from 0.</param>
/// <param name="Value">The value.</param>
/// <param name="Detail">What else a reader wants to know of it, in words.</param>
/// <param name="IsChosen">Whether the page speaks of this one: it gets a frame.</param>
public sealed record HeatCell(int X, int Y, double Value, string Detail, bool IsChosen);
