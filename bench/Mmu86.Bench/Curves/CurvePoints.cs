namespace Mmu86.Bench.Curves;

/// <summary>Where curves are measured.</summary>
internal static class CurvePoints
{
    /// <summary>Pages: powers of two and what lies half way between them.</summary>
    public static IReadOnlyList<int> Pages { get; } = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];

    /// <summary>A few of them, for trying out whether everything works.</summary>
    public static IReadOnlyList<int> QuickPages { get; } = [8, 64, 96, 128, 1024];

    /// <summary>Pages from one jump to the next.</summary>
    public static IReadOnlyList<int> Strides { get; } = [1, 8, 16, 32, 64];

    /// <summary>The longest chain at strides above 1: beyond it nothing new comes.</summary>
    public const int LongestStriddenChain = 512;
}
