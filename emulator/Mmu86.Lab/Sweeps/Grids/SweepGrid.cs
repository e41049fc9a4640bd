namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>Which configurations a sweep evaluates: one-pass families, or machines that differ from the base machine in some settings.</summary>
public sealed record SweepGrid
{
    /// <summary>The name, or the path of the file.</summary>
    public required string Name { get; init; }

    /// <summary>LRU arrays, all of them evaluated in one pass over the stream.</summary>
    public IReadOnlyList<LruFamilyRequest> Families { get; init; } = [];

    /// <summary>Machines that are simulated one by one, side by side; null for none.</summary>
    public ModelRequest? Models { get; init; }

    /// <summary>How many rows it has for each paging mode.</summary>
    public int Count => Families.Sum(family => family.Count) + (Models?.Settings.Count ?? 0);
}
