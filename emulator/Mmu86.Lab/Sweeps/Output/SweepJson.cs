using System.Text.Json;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>Sweep results as JSON (<c>mmu86.sweep/1</c>).</summary>
public static class SweepJson
{
    /// <summary>The largest file that is read, in bytes: some hundred thousand rows.</summary>
    public const int MaximumBytes = 1 << 28;

    /// <summary>The result as indented JSON with a final newline. The sources of the machine's numbers are left out: <c>show machine</c> has them.</summary>
    public static string Write(SweepResult result) => JsonText.Write(result, SweepJsonContext.Default.SweepResult);

    /// <summary>Reads a result and checks it.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="errors">Everything that is wrong, empty where the result is not null.</param>
    /// <returns>Null where it was refused.</returns>
    public static SweepResult? Read(ReadOnlyMemory<byte> json, out IReadOnlyList<ConfigurationError> errors)
    {
        List<ConfigurationError> found = [];
        errors = found;
        return JsonText.Read(json, found, document => Read(document, found));
    }

    /// <summary>Reads a file.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="ConfigurationException">It cannot be read or is wrong; carries every error.</exception>
    public static SweepResult ReadFile(string path)
    {
        string what = $"sweep result {path}";
        byte[] bytes = BoundedFile.Read(path, MaximumBytes, out string problem)
            ?? throw new ConfigurationException(what, ConfigurationOrigin.File, [new("", problem)]);
        return Read(bytes, out IReadOnlyList<ConfigurationError> errors) ?? throw new ConfigurationException(what, ConfigurationOrigin.File, errors);
    }

    private static SweepResult? Read(JsonElement document, List<ConfigurationError> errors)
    {
        // Another kind of document would be wrong in every key.
        if (document.ValueKind == JsonValueKind.Object && document.TryGetProperty("schema", out JsonElement schema)
            && schema.ValueKind == JsonValueKind.String && schema.GetString() is string name && name != SweepResult.SchemaName)
        {
            errors.Add(new ConfigurationError("schema", $"must be '{SweepResult.SchemaName}', not '{name}'"));
            return null;
        }

        new JsonShape(SweepJsonContext.Default.Options, errors) { CheckedElsewhere = typeof(MachineDescription) }
            .Check(document, SweepJsonContext.Default.SweepResult, "");
        if (document.ValueKind == JsonValueKind.Object && document.TryGetProperty("machine", out JsonElement machine))
        {
            List<ConfigurationError> ofMachine = [];
            MachineJson.Read(machine, ofMachine);
            errors.AddRange(ofMachine.Select(error => error with { Path = JsonShape.Join("machine", error.Path).TrimEnd('.') }));
        }

        if (errors.Count > 0)
            return null;
        SweepResult result = document.Deserialize(SweepJsonContext.Default.SweepResult)!;
        errors.AddRange(SweepRules.Check(result));
        errors.AddRange(CheckRatios(document.GetProperty("rows")));
        return result;
    }

    // It is computed from its row, so a file that says otherwise was written by somebody who meant something else.
    private static IEnumerable<ConfigurationError> CheckRatios(JsonElement rows)
    {
        int index = 0;
        foreach (JsonElement row in rows.EnumerateArray())
        {
            string path = $"rows[{index++}].missRatio";
            double expected = SweepRules.MissRatio(row.GetProperty("lookups").GetInt64(), row.GetProperty("misses").GetInt64());
            if (!row.TryGetProperty("missRatio", out JsonElement written))
                yield return new ConfigurationError(path, "is missing");
            else if (written.GetDouble() != expected)
                yield return new ConfigurationError(path, $"is {written.GetRawText()}, but misses by lookups are {SweepRules.Number(expected)}");
        }
    }
}
