using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>Machines that differ from the base machine in some settings.</summary>
public sealed record ModelRequest
{
    /// <summary>The level that rows tell of: <c>l1i</c>, <c>l1d</c> or <c>l2</c>.</summary>
    public required string Structure { get; init; }

    /// <summary>The page size that rows tell of; null for all together.</summary>
    public PageSize? PageSize { get; init; }

    /// <summary>The array whose geometry rows carry, by its path in the machine description; null where there is no one array.</summary>
    public string? Array { get; init; }

    /// <summary>Of each machine, what it sets, as <c>--set</c> takes it.</summary>
    public required IReadOnlyList<IReadOnlyList<string>> Settings { get; init; }
}
