namespace Mmu86.TestKit;

/// <summary>The seed of random tests: <c>MMU86_SEED</c>, or 1. A test prints it when it fails, so that the run can be repeated.</summary>
public static class TestSeed
{
    /// <summary>The seed in force.</summary>
    public static int Base { get; } = Environment.GetEnvironmentVariable("MMU86_SEED") switch
    {
        null or "" => 1,
        string text when int.TryParse(text, out int seed) => seed,
        string other => throw new InvalidOperationException($"MMU86_SEED is '{other}'; it must be a whole number."),
    };

    /// <summary>The random numbers of one case, which do not depend on the cases before it.</summary>
    public static Random Case(int number) => new(unchecked((Base * (int)0x9E37_79B1) + number));
}
