using System.Numerics;
using System.Text.Json;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Sweeps.OnePass;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>Grid files (<c>mmu86.grid/1</c>).</summary>
public static class GridJson
{
    /// <summary>The name and version of the format.</summary>
    public const string SchemaName = "mmu86.grid/1";

    /// <summary>The largest grid file that is read, in bytes.</summary>
    public const int MaximumBytes = 1 << 20;

    /// <summary>The most rows of a grid: each machine that is simulated has an MMU of its own.</summary>
    public const int MaximumModels = 4096;

    /// <summary>Reads a grid and checks it.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="name">What the result is called.</param>
    /// <param name="errors">Everything that is wrong, empty where the result is not null.</param>
    /// <returns>Null where it was refused.</returns>
    public static SweepGrid? Read(ReadOnlyMemory<byte> json, string name, out IReadOnlyList<ConfigurationError> errors)
    {
        List<ConfigurationError> found = [];
        errors = found;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            new JsonShape(GridJsonContext.Default.Options, found).Check(document.RootElement, GridJsonContext.Default.GridDescription, "");
            if (found.Count > 0)
                return null;
            SweepGrid grid = Build(document.Deserialize(GridJsonContext.Default.GridDescription)!, name, found);
            return found.Count == 0 ? grid : null;
        }
        catch (JsonException exception)
        {
            found.Add(new ConfigurationError("", $"is not JSON at line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}"));
            return null;
        }
        catch (InvalidOperationException)
        {
            found.Add(new ConfigurationError("", "has a text with half of a surrogate pair"));
            return null;
        }
    }

    private static SweepGrid Build(GridDescription description, string name, List<ConfigurationError> errors)
    {
        if (description.Schema != SchemaName)
            errors.Add(new("schema", $"must be '{SchemaName}', not '{description.Schema}'"));
        List<LruFamilyRequest> families = [];
        for (int i = 0; i < (description.Lru?.Count ?? 0); i++)
            families.Add(Family(description.Lru![i], $"lru[{i}]", errors));
        ModelRequest? models = description.Models is null ? null : Models(description.Models, errors);
        if (families.Count == 0 && models is null)
            errors.Add(new("", "has no members: 'lru' lists one-pass families, 'models' machines"));
        return new SweepGrid { Name = name, Families = families, Models = models };
    }

    private static LruFamilyRequest Family(LruDescription family, string path, List<ConfigurationError> errors)
    {
        CheckAscending(family.Sets, $"{path}.sets", 1, LruFamilyGeometry.SetsLimit, errors);
        bool isOneSet = family.Sets is [1];
        CheckAscending(family.Ways, $"{path}.ways", 1, isOneSet ? FullyAssociativeFamily.EntriesLimit : LruFamilyGeometry.WaysLimit, errors);
        for (int i = 0; i < family.Sets.Count; i++)
        {
            if (family.Sets[i] > 0 && !BitOperations.IsPow2(family.Sets[i]))
                errors.Add(new($"{path}.sets[{i}]", $"must be a power of two, not {family.Sets[i]}"));
        }

        return new LruFamilyRequest
        {
            IsInstruction = ReadStructure(family.Structure, ["l1d", "l1i"], $"{path}.structure", errors) == "l1i",
            PageSize = ReadSize(family.PageSize, $"{path}.pageSize", errors),
            Sets = family.Sets,
            Ways = family.Ways,
        };
    }

    private static ModelRequest Models(ModelsDescription models, List<ConfigurationError> errors)
    {
        List<GridAxis> axes = [];
        long count = 1;
        for (int i = 0; i < models.Axes.Count; i++)
        {
            AxisDescription axis = models.Axes[i];
            if (axis.Values.Count == 0)
                errors.Add(new($"models.axes[{i}].values", "has no members"));
            if (axes.Any(other => other.Path == axis.Path))
                errors.Add(new($"models.axes[{i}].path", $"'{axis.Path}' is an axis already"));
            count = Math.Min(int.MaxValue, count * axis.Values.Count);
            axes.Add(new GridAxis(axis.Path, [.. axis.Values.Select(Text)]));
        }

        if (models.Axes.Count == 0)
            errors.Add(new("models.axes", "has no members"));
        if (count > MaximumModels)
            errors.Add(new("models.axes", $"make {count} machines; at most {MaximumModels} are possible"));
        return new ModelRequest
        {
            Structure = ReadStructure(models.Structure, ["l1i", "l1d", "l2"], "models.structure", errors),
            PageSize = models.PageSize is null ? null : ReadSize(models.PageSize, "models.pageSize", errors),
            Array = models.Array,
            Settings = count > MaximumModels ? [] : GridAxis.Product(axes),
        };
    }

    // As --set takes it: a text stands for itself, everything else is JSON.
    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    private static void CheckAscending(IReadOnlyList<int> numbers, string path, int least, int most, List<ConfigurationError> errors)
    {
        if (numbers.Count == 0)
            errors.Add(new(path, "has no members"));
        for (int i = 0; i < numbers.Count; i++)
        {
            if (numbers[i] < least || numbers[i] > most)
                errors.Add(new($"{path}[{i}]", $"must be {least} to {most}, not {numbers[i]}"));
            else if (i > 0 && numbers[i] <= numbers[i - 1])
                errors.Add(new($"{path}[{i}]", $"must be more than the {numbers[i - 1]} before it"));
        }
    }

    private static string ReadStructure(string name, string[] known, string path, List<ConfigurationError> errors)
    {
        if (!known.Contains(name))
            errors.Add(new(path, $"must be one of {string.Join(", ", known)}, not '{name}'{Suggestion.Ending(name, known)}"));
        return name;
    }

    private static PageSize ReadSize(string name, string path, List<ConfigurationError> errors)
    {
        switch (name)
        {
            case "4k":
                return PageSize.Size4K;
            case "2m":
                return PageSize.Size2M;
            case "1g":
                return PageSize.Size1G;
            default:
                errors.Add(new(path, $"must be one of 4k, 2m, 1g, not '{name}'"));
                return PageSize.Size4K;
        }
    }
}
