using System.Text.Json;

namespace Mmu86.Lab.Pages;

/// <summary>Horizontal bars, one group of values for each category, the first on top.</summary>
public sealed record BarChart : Chart
{
    /// <summary>The categories, from the top.</summary>
    public required IReadOnlyList<string> Categories { get; init; }

    /// <summary>The values, one for each category, of each series.</summary>
    public required IReadOnlyList<BarSeries> Series { get; init; }

    /// <summary>What the length means.</summary>
    public required ChartAxis Value { get; init; }

    /// <summary>Whether the values of a category follow one another or stand beside each other.</summary>
    public required BarLayout Layout { get; init; }

    /// <inheritdoc/>
    internal override void WriteData(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", "bars");
        writer.WriteBoolean("stacked", Layout == BarLayout.Stacked);
        WriteAxis(writer, "value", Value);
        writer.WriteStartArray("categories");
        foreach (string category in Categories)
            writer.WriteStringValue(category);
        writer.WriteEndArray();
        writer.WriteStartArray("series");
        foreach (BarSeries series in Series)
        {
            writer.WriteStartObject();
            writer.WriteString("name", series.Name);
            writer.WriteStartArray("values");
            foreach (double? value in series.Values)
            {
                if (value is double known)
                    writer.WriteNumberValue(known);
                else
                    writer.WriteNullValue();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
