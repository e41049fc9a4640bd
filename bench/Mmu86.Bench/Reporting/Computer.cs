using System.Globalization;
using System.Runtime.InteropServices;

namespace Mmu86.Bench.Reporting;

/// <summary>Where a measurement was made, in words for the top of a table.</summary>
internal static class Computer
{
    /// <summary>Runnable threads over the last minute. A measurement wants less than one besides its own.</summary>
    public static double Load => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>The processor, how many, and the runtime.</summary>
    public static string Describe()
    {
        string processor = File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "unknown processor";
        return $"{processor}, {Environment.ProcessorCount} CPUs, {RuntimeInformation.FrameworkDescription}";
    }
}
