using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>The tag byte of an operation in a recorded chunk.</summary>
/// <remarks>
/// <code>
///              7   6..5     4           3..2  1..0
/// lookup       0   repeats  attributes  page  kind
/// other        0   0        operation         3
/// </code>
/// </remarks>
internal static class ChunkCoding
{
    /// <summary>In place of a kind: no lookup.</summary>
    public const int Other = 3;

    /// <summary>The page is what the two pages before made likely.</summary>
    public const int PageBehindTwo = 0;

    /// <summary>The page is what the page before made likely.</summary>
    public const int PageBehindOne = 1;

    /// <summary>The page follows, as the difference from the page before.</summary>
    public const int PageFollows = 2;

    /// <summary>One lookup.</summary>
    public const int RepeatsOne = 0;

    /// <summary>As many lookups as the guess of the page said.</summary>
    public const int RepeatsAsGuessed = 1;

    /// <summary>The number of lookups follows.</summary>
    public const int RepeatsFollow = 2;

    /// <summary>Attributes, space and site follow: they are not those of the last lookup of this kind.</summary>
    public const int AttributesFollow = 1 << 4;

    /// <summary>Where the page's code is.</summary>
    public const int PageShift = 2;

    /// <summary>Where the repeats' code is.</summary>
    public const int RepeatsShift = 5;

    /// <summary>Where another operation's number is.</summary>
    public const int OperationShift = 2;

    /// <summary>Attributes of an event: the bits of its first word below the page, without kind and operation.</summary>
    public const ulong AttributeMask = ((1UL << PageNumberShift) - 1) & ~0x3FUL;

    /// <summary>Where an event's page number is.</summary>
    public const int PageNumberShift = 19;

    /// <summary>Attribute bits that exist.</summary>
    public const ulong KnownAttributes = 0x7FC0;

    /// <summary>The most that a space's number can be.</summary>
    public const uint LargestSpace = 8191;

    /// <summary>What the last lookup of a kind was, apart from its page.</summary>
    internal record struct Attributes(ulong Bits, uint Space, uint Site)
    {
        /// <summary>Those of an event.</summary>
        public static Attributes Of(LookupEvent lookup) => new(lookup.First & AttributeMask, lookup.Space, lookup.Site);
    }
}
