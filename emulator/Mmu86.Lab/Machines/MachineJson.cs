using System.Text.Json;
using System.Text.Unicode;
using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Machines;

/// <summary>Machine descriptions as JSON: one format, printed by <c>show machine</c> and read by <c>--machine</c>.</summary>
public static class MachineJson
{
    /// <summary>The largest machine file that is read, in bytes.</summary>
    public const int MaximumBytes = 1 << 20;

    // Some editors begin a UTF-8 file with it.
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads a description and checks it.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="errors">Everything that is wrong, empty where the result is not null.</param>
    /// <returns>Null where it was refused.</returns>
    public static MachineDescription? Read(ReadOnlyMemory<byte> json, out IReadOnlyList<ConfigurationError> errors)
    {
        List<ConfigurationError> found = [];
        errors = found;
        if (json.Span.StartsWith(ByteOrderMark))
            json = json[ByteOrderMark.Length..];
        if (!Utf8.IsValid(json.Span))
        {
            found.Add(new ConfigurationError("", "is not UTF-8"));
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            new JsonShape(MachineJsonContext.Default.Options, found).Check(document.RootElement, MachineJsonContext.Default.MachineDescription, "");
            if (found.Count > 0)
                return null;
            MachineDescription machine = document.Deserialize(MachineJsonContext.Default.MachineDescription)!;
            found.AddRange(MachineRules.Check(machine));
            return found.Count == 0 ? machine : null;
        }
        catch (JsonException exception)
        {
            // Lines and bytes count from 0 in the exception, from 1 in editors.
            found.Add(new ConfigurationError("", $"is not JSON at line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}"));
            return null;
        }
        catch (InvalidOperationException)
        {
            // The reader hands out escaped halves of surrogate pairs only when a text is asked for.
            found.Add(new ConfigurationError("", "has a text with half of a surrogate pair"));
            return null;
        }
    }

    /// <summary>The description as indented JSON with a final newline.</summary>
    public static string Write(MachineDescription machine) => JsonText.Write(machine, MachineJsonContext.Default.MachineDescription);
}
