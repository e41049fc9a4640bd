using System.Globalization;
using System.Text.RegularExpressions;

namespace Mmu86.Bench.GuestPaging;

/// <summary>What a run took, and how many events it had of the kind that is measured.</summary>
/// <param name="CpuSeconds">User and system, of the whole process.</param>
/// <param name="WallSeconds">From its start to its end.</param>
/// <param name="Events">How many events there were.</param>
internal readonly record struct PagingRun(double CpuSeconds, double WallSeconds, double Events)
{
    /// <summary>What <c>memory-kernel</c> counted of something, in its line on the debug console.</summary>
    public static double CountedByGuest(string debug, string what)
    {
        Match match = Regex.Match(debug, $"[,:] {what} ([0-9]+)");
        return match.Success
            ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new MeasurementException($"The guest does not say '{what}': {debug}");
    }
}
