using System.Globalization;
using Mmu86.Lab.Sweeps.Output;

namespace Mmu86.Lab.Scenarios;

/// <summary>How numbers of a scenario's report are written for people.</summary>
internal static class VmsWords
{
    /// <summary>An integer with its thousands divided.</summary>
    public static string Number(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Nanoseconds in milliseconds, without unit.</summary>
    public static string Milliseconds(ulong nanoseconds) => (nanoseconds / 1e6).ToString("N1", CultureInfo.InvariantCulture);

    /// <summary>A size with its unit.</summary>
    public static string Size(ulong bytes) => bytes switch
    {
        >= 10UL << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):F1} GiB"),
        >= 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):F1} MiB"),
        _ => $"{bytes >> 10} KiB",
    };

    /// <summary>A number with few digits that mean something.</summary>
    public static string Brief(double value) => value.ToString(Math.Abs(value) >= 100 ? "N0" : "0.##", CultureInfo.InvariantCulture);

    /// <summary>A name from a file as printable text.</summary>
    public static string Printable(string name) => SweepWords.Printable(name);

    /// <summary>How a machine ended.</summary>
    public static string End(VmsMachineReport machine) => machine.Exit is { } exit ? $"{exit.Kind.ToString().ToLowerInvariant()} {exit.Status}" : "never started";
}
