namespace Mmu86.Lab.Machines;

/// <summary>One subleaf of leaf 18H, the deterministic address translation parameters of Intel: what is reported, not what is modelled.</summary>
public sealed record CpuidTranslationCache
{
    /// <summary>What it translates.</summary>
    public required CpuidTranslationKind Kind { get; init; }

    /// <summary>The level, 1 to 7.</summary>
    public required int Level { get; init; }

    /// <summary>The page sizes: any of 4k, 2m, 4m, 1g.</summary>
    public required IReadOnlyList<string> PageSizes { get; init; }

    /// <summary>Sets, 1 to 65536. A fully associative cache has one.</summary>
    public required int Sets { get; init; }

    /// <summary>Ways, 1 to 65535.</summary>
    public required int Ways { get; init; }

    /// <summary>Whether the bit is set that says "fully associative".</summary>
    public required bool FullyAssociative { get; init; }

    /// <summary>The addressable logical processors that share it, 1 to 4096. Mmu86 runs one, whatever is said here.</summary>
    public required int SharedBy { get; init; }
}
