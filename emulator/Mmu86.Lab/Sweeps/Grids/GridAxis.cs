namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>One value of the machine description, and what it takes on.</summary>
/// <param name="Path">Its path, as <c>--set</c> takes it.</param>
/// <param name="Values">The values, as <c>--set</c> takes them.</param>
internal sealed record GridAxis(string Path, IReadOnlyList<string> Values)
{
    /// <summary>Every combination; the last axis changes fastest.</summary>
    public static IReadOnlyList<IReadOnlyList<string>> Product(IReadOnlyList<GridAxis> axes)
    {
        IReadOnlyList<IReadOnlyList<string>> combinations = [[]];
        foreach (GridAxis axis in axes)
            combinations = [.. combinations.SelectMany(head => axis.Values.Select(value => (IReadOnlyList<string>)[.. head, $"{axis.Path}={value}"]))];
        return combinations;
    }
}
