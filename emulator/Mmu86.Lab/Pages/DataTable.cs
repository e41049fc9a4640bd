namespace Mmu86.Lab.Pages;

/// <summary>A table.</summary>
/// <param name="Caption">What is in it.</param>
/// <param name="Columns">The columns.</param>
/// <param name="Rows">The cells, row by row, one for each column.</param>
public sealed record DataTable(string Caption, IReadOnlyList<DataColumn> Columns, IReadOnlyList<IReadOnlyList<string>> Rows);
