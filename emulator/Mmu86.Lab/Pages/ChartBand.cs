namespace Mmu86.Lab.Pages;

/// <summary>A part of the horizontal axis that is shaded over the chart's whole height.</summary>
/// <param name="From">Where it begins.</param>
/// <param name="To">Where it ends.</param>
/// <param name="Name">What it means; bands of one name have one colour and one place in the legend.</param>
/// <param name="Tone">How much it wants to be noticed.</param>
public sealed record ChartBand(double From, double To, string Name, BandTone Tone);

/// <summary>How much a band wants to be noticed.</summary>
public enum BandTone
{
    /// <summary>A little.</summary>
    Notice,

    /// <summary>More.</summary>
    Warning,

    /// <summary>Most.</summary>
    Alarm,
}
