namespace Mmu86.Timing;

/// <summary>The cache that the page-table walker asks first.</summary>
public enum WalkEntryPoint
{
    /// <summary>Walks go through the first-level data cache, as loads do.</summary>
    L1Data,

    /// <summary>Walks begin at the second level and leave the first alone.</summary>
    L2,
}
