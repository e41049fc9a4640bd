using System.Text.Json;
using System.Text.Json.Serialization;
using Mmu86.Lab.Machines;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>A machine description inside another document, by the one format that machines have. The sources of its numbers are left out.</summary>
internal sealed class EmbeddedMachineConverter : JsonConverter<MachineDescription>
{
    /// <inheritdoc/>
    public override MachineDescription? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize(ref reader, MachineJsonContext.Default.MachineDescription);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, MachineDescription value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value with { Sources = null }, MachineJsonContext.Default.MachineDescription);
}
