using System.Text.Json;

namespace Mmu86.Lab.Pages;

/// <summary>A surface over two lists of values.</summary>
public sealed record HeatMap : Chart
{
    /// <summary>What is across, such as <c>sets</c>.</summary>
    public required string XName { get; init; }

    /// <summary>The values across.</summary>
    public required IReadOnlyList<string> XValues { get; init; }

    /// <summary>What is upwards.</summary>
    public required string YName { get; init; }

    /// <summary>The values upwards.</summary>
    public required IReadOnlyList<string> YValues { get; init; }

    /// <summary>What the colour means.</summary>
    public required string ValueName { get; init; }

    /// <summary>How values are written.</summary>
    public required ValueFormat Format { get; init; }

    /// <summary>The cells.</summary>
    public required IReadOnlyList<HeatCell> Cells { get; init; }

    /// <inheritdoc/>
    internal override void WriteData(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", "heat");
        WriteList(writer, "x", XName, XValues);
        WriteList(writer, "y", YName, YValues);
        writer.WriteStartObject("value");
        writer.WriteString("name", ValueName);
        writer.WriteString("format", NameOf(Format));
        writer.WriteEndObject();
        writer.WriteStartArray("cells");
        foreach (HeatCell cell in Cells)
        {
            writer.WriteStartObject();
            writer.WriteNumber("x", cell.X);
            writer.WriteNumber("y", cell.Y);
            writer.WriteNumber("value", cell.Value);
            writer.WriteString("detail", cell.Detail);
            writer.WriteBoolean("chosen", cell.IsChosen);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter writer, string member, string name, IReadOnlyList<string> values)
    {
        writer.WriteStartObject(member);
        writer.WriteString("name", name);
        writer.WriteStartArray("values");
        foreach (string value in values)
            writer.WriteStringValue(value);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
