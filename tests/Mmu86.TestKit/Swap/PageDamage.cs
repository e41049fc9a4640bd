namespace Mmu86.TestKit.Swap;

/// <summary>What a <see cref="TornSwapDevice"/> does to a page that it says it has written.</summary>
public enum PageDamage
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Only the first half arrives.</summary>
    Torn,

    /// <summary>One bit is another.</summary>
    FlippedBit,

    /// <summary>It never arrives: what was there before stays.</summary>
    Lost,
}
