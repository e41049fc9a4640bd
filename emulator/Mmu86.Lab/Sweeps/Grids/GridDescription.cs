using System.Text.Json;

namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>A grid file as it is written.</summary>
internal sealed record GridDescription
{
    /// <summary><see cref="GridJson.SchemaName"/>.</summary>
    public required string Schema { get; init; }

    /// <summary>One-pass families.</summary>
    public IReadOnlyList<LruDescription>? Lru { get; init; }

    /// <summary>Machines that differ from the base machine.</summary>
    public ModelsDescription? Models { get; init; }
}

/// <summary>One one-pass family of a grid file.</summary>
internal sealed record LruDescription
{
    /// <summary><c>l1d</c> or <c>l1i</c>.</summary>
    public required string Structure { get; init; }

    /// <summary><c>4k</c>, <c>2m</c> or <c>1g</c>.</summary>
    public required string PageSize { get; init; }

    /// <summary>Powers of two, ascending.</summary>
    public required IReadOnlyList<int> Sets { get; init; }

    /// <summary>Ascending; more than 16 only where sets are 1.</summary>
    public required IReadOnlyList<int> Ways { get; init; }
}

/// <summary>The machines of a grid file: every combination of the axes' values.</summary>
internal sealed record ModelsDescription
{
    /// <summary>The level that rows tell of: <c>l1i</c>, <c>l1d</c> or <c>l2</c>.</summary>
    public required string Structure { get; init; }

    /// <summary>The page size that rows tell of; all together where it is absent.</summary>
    public string? PageSize { get; init; }

    /// <summary>The path of the array whose geometry rows carry.</summary>
    public string? Array { get; init; }

    /// <summary>The axes; the last changes fastest.</summary>
    public required IReadOnlyList<AxisDescription> Axes { get; init; }
}

/// <summary>One axis of a grid file.</summary>
internal sealed record AxisDescription
{
    /// <summary>A path in the machine description, as <c>--set</c> takes it.</summary>
    public required string Path { get; init; }

    /// <summary>The values, any JSON.</summary>
    public required IReadOnlyList<JsonElement> Values { get; init; }
}
