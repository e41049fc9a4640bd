using System.Text.Json;

namespace Mmu86.Lab.Pages;

/// <summary>A chart: data and what they mean. Colours, sizes and tooltips are the page's.</summary>
public abstract record Chart
{
    /// <summary>The heading.</summary>
    public required string Title { get; init; }

    /// <summary>What the chart shows, for those who do not see it: one sentence with the main number.</summary>
    public required string Summary { get; init; }

    /// <summary>The same data as a table.</summary>
    public required DataTable Table { get; init; }

    /// <summary>Writes the data for the page's script, as one JSON object.</summary>
    internal abstract void WriteData(Utf8JsonWriter writer);

    /// <summary>The name of a format as the page's script knows it.</summary>
    private protected static string NameOf(ValueFormat format) => format switch
    {
        ValueFormat.Count => "count",
        ValueFormat.Ratio => "ratio",
        ValueFormat.Number => "number",
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>Writes an axis as a member.</summary>
    private protected static void WriteAxis(Utf8JsonWriter writer, string member, ChartAxis axis)
    {
        writer.WriteStartObject(member);
        writer.WriteString("name", axis.Name);
        writer.WriteString("format", NameOf(axis.Format));
        writer.WriteBoolean("log", axis.Scale == AxisScale.Log2);
        writer.WriteEndObject();
    }
}
