using System.Text.Json;
using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Machines;

/// <summary>Machine descriptions as JSON: one format, printed by <c>show machine</c> and read by <c>--machine</c>.</summary>
public static class MachineJson
{
    /// <summary>The largest machine file that is read, in bytes.</summary>
    public const int MaximumBytes = 1 << 20;

    /// <summary>Reads a description and checks it.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="errors">Everything that is wrong, empty where the result is not null.</param>
    /// <returns>Null where it was refused.</returns>
    public static MachineDescription? Read(ReadOnlyMemory<byte> json, out IReadOnlyList<ConfigurationError> errors)
    {
        List<ConfigurationError> found = [];
        errors = found;
        return JsonText.Read(json, found, document => Read(document, found));
    }

    /// <summary>The description as indented JSON with a final newline.</summary>
    public static string Write(MachineDescription machine) => JsonText.Write(machine, MachineJsonContext.Default.MachineDescription);

    /// <summary>Reads a description that is part of a document.</summary>
    /// <param name="value">The description.</param>
    /// <param name="errors">Gets everything that is wrong, with paths from the description's root.</param>
    /// <returns>Null where its shape was refused.</returns>
    internal static MachineDescription? Read(JsonElement value, List<ConfigurationError> errors)
    {
        int before = errors.Count;
        new JsonShape(MachineJsonContext.Default.Options, errors).Check(value, MachineJsonContext.Default.MachineDescription, "");
        if (errors.Count > before)
            return null;
        MachineDescription machine = value.Deserialize(MachineJsonContext.Default.MachineDescription)!;
        errors.AddRange(MachineRules.Check(machine));
        return machine;
    }
}
