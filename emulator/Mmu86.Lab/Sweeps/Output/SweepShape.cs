namespace Mmu86.Lab.Sweeps.Output;

/// <summary>How the rows of a family are best shown.</summary>
public enum SweepShape
{
    /// <summary>Sets times ways: a surface.</summary>
    Matrix,

    /// <summary>Arrays of different sizes: a curve over entries.</summary>
    Curve,

    /// <summary>Anything else: one line a configuration.</summary>
    List,
}
