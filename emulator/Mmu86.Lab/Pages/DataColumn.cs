namespace Mmu86.Lab.Pages;

/// <summary>A column of a table.</summary>
/// <param name="Name">Its heading.</param>
/// <param name="Kind">What is in it.</param>
public sealed record DataColumn(string Name, DataColumnKind Kind);
