namespace Mmu86.Lab.Pages;

/// <summary>How values are laid along an axis.</summary>
public enum AxisScale
{
    /// <summary>Equal steps for equal differences, from 0.</summary>
    Linear,

    /// <summary>Equal steps for equal factors, with marks at powers of two. Values must be positive.</summary>
    Log2,
}
