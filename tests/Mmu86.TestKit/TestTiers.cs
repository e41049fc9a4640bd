using Xunit;

namespace Mmu86.TestKit;

/// <summary>How long a test may take: chosen by <c>MMU86_TESTS=ci|soak</c>; without it, only the default tier runs.</summary>
public enum TestTier
{
    Default = 0,
    Ci = 1,
    Soak = 2,
}

/// <summary>Decides which tests run. A test of a higher tier, or one whose oracle is absent, reports itself as skipped.</summary>
public static class TestTiers
{
    /// <summary>The tier asked for.</summary>
    public static TestTier Current { get; } = Environment.GetEnvironmentVariable("MMU86_TESTS") switch
    {
        null or "" => TestTier.Default,
        "ci" => TestTier.Ci,
        "soak" => TestTier.Soak,
        string other => throw new InvalidOperationException($"MMU86_TESTS is '{other}'; it may be 'ci' or 'soak'."),
    };

    /// <summary>Skips the calling <c>[SkippableFact]</c> unless the tier asked for is at least <paramref name="tier"/>.</summary>
    public static void Require(TestTier tier) => Skip.If(Current < tier, "skipped: tier");

    /// <summary>Skips the calling <c>[SkippableFact]</c> unless a program is on the PATH.</summary>
    /// <returns>The program's full path.</returns>
    public static string RequireProgram(string name)
    {
        string? path = Find(name);
        Skip.If(path is null, $"skipped: no {name}");
        return path!;
    }

    /// <summary>Picks a number by tier.</summary>
    public static int Pick(int standard, int ci, int soak) => Current switch
    {
        TestTier.Default => standard,
        TestTier.Ci => ci,
        TestTier.Soak => soak,
        _ => throw new InvalidOperationException(),
    };

    /// <summary>The cases of a theory: all of them in the tier <c>ci</c> and above, in the default tier the first and every <paramref name="step"/>th after it.</summary>
    public static IEnumerable<T> Sample<T>(IEnumerable<T> cases, int step) =>
        Current == TestTier.Default ? cases.Where((_, index) => index % step == 0) : cases;

    private static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
}
