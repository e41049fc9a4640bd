using Mmu86.TestKit.HostCpu;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>What the tests of instructions share.</summary>
internal static class TestData
{
    /// <summary>The seed of random tests; failing ones print it, and MMU86_SEED sets it.</summary>
    public static ulong Seed { get; } = ulong.TryParse(Environment.GetEnvironmentVariable("MMU86_SEED"), out ulong seed) ? seed : 20250611;

    /// <summary>The table of what the manual leaves undefined.</summary>
    public static UndefinedFlags UndefinedFlags() =>
        TestKit.HostCpu.UndefinedFlags.Parse(File.ReadLines(Path.Combine(AppContext.BaseDirectory, "data", "undefined-flags.txt")));

    /// <summary>Split locks where the host takes them as any other access.</summary>
    public static SplitLocks SplitLocks()
    {
        string processor = File.Exists("/proc/cpuinfo") ? File.ReadAllText("/proc/cpuinfo") : "split_lock_detect";
        return processor.Contains("split_lock_detect") || processor.Contains("bus_lock_detect") ? TestKit.HostCpu.SplitLocks.Avoided : TestKit.HostCpu.SplitLocks.Allowed;
    }
}
