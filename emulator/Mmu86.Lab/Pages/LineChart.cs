using System.Text.Json;

namespace Mmu86.Lab.Pages;

/// <summary>Lines over a common horizontal axis: curves and courses of time.</summary>
public sealed record LineChart : Chart
{
    /// <summary>The horizontal axis.</summary>
    public required ChartAxis X { get; init; }

    /// <summary>The vertical axis.</summary>
    public required ChartAxis Y { get; init; }

    /// <summary>The lines.</summary>
    public required IReadOnlyList<LineSeries> Series { get; init; }

    /// <summary>How they are drawn.</summary>
    public LineStyle Style { get; init; } = LineStyle.Points;

    /// <summary>Parts of the horizontal axis that are shaded. Not on a logarithmic axis.</summary>
    public IReadOnlyList<ChartBand> Bands { get; init; } = [];

    /// <inheritdoc/>
    internal override void WriteData(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", "lines");
        writer.WriteString("style", Style switch
        {
            LineStyle.Points => "points",
            LineStyle.Course => "course",
            LineStyle.Stacked => "stacked",
            _ => throw new System.Diagnostics.UnreachableException(),
        });
        WriteAxis(writer, "x", X);
        WriteAxis(writer, "y", Y);
        writer.WriteStartArray("series");
        foreach (LineSeries line in Series)
        {
            writer.WriteStartObject();
            writer.WriteString("name", line.Name);
            writer.WriteStartArray("points");
            foreach (ChartPoint point in line.Points)
            {
                writer.WriteStartArray();
                writer.WriteNumberValue(point.X);
                writer.WriteNumberValue(point.Y);
                writer.WriteEndArray();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (Bands.Count > 0)
            WriteBands(writer);
        writer.WriteEndObject();
    }

    private void WriteBands(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("bands");
        foreach (ChartBand band in Bands)
        {
            writer.WriteStartObject();
            writer.WriteString("name", band.Name);
            writer.WriteNumber("tone", (int)band.Tone);
            writer.WriteNumber("from", band.From);
            writer.WriteNumber("to", band.To);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
