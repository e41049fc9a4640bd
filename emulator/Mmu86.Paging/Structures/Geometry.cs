using System.Globalization;
using System.Numerics;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Which geometries the hardware model can be built with.</summary>
public static class Geometry
{
    /// <summary>The most ways a set may have.</summary>
    public const int MaximumWays = 4096;

    /// <summary>The most entries one array may have.</summary>
    public const int MaximumEntries = 1 << 24;

    // A tree of n ways has n-1 bits, and a set has one word.
    private const int MaximumTreeWays = 64;
    private const int MaximumGroupWays = 16;

    /// <summary>The most ways of an array whose ways have indices of their own.</summary>
    public const int MaximumSkewedWays = 64;

    /// <summary>The fewest sets of such an array: its hash needs two bits.</summary>
    public const int LeastSkewedSets = 4;

    /// <summary>The most ways of permutation replacement.</summary>
    public const int MaximumPermutationWays = 64;

    // Linear addresses have 57 bits at most, pages 12.
    private const int PageNumberBits = 57 - 12;

    /// <summary>Refuses a TLB array that cannot be built.</summary>
    /// <exception cref="ArgumentException">The geometry is impossible; the message names the array and the field.</exception>
    public static void Check(TlbArrayConfiguration array)
    {
        if (array.CoalescedPages is { } pages && !IsGroup(pages))
            throw new ArgumentException($"{array.Name}: coalescedPages must be 2, 4, 8 or 16.");
        if (array.PageSizes.Count == 0 && array.CoalescedPages is null)
            throw new ArgumentException($"{array.Name}: pageSizes is empty.");
        foreach (string size in array.PageSizes)
            ParseSize(array.Name, size);
        if (array.PageSizes.Distinct().Count() != array.PageSizes.Count)
            throw new ArgumentException($"{array.Name}: pageSizes names a size twice.");
        if (array.Sets == 0)
        {
            if (array.Ways != 0)
                throw new ArgumentException($"{array.Name}: an unbounded array (sets 0) has ways 0.");
            return;
        }

        Check(array.Name, array.Sets, array.Ways, array.Replacement);
        if (array.Hash == IndexHash.Xor && !BitOperations.IsPow2(array.Sets))
            throw new ArgumentException($"{array.Name}: the xor hash needs sets to be a power of two.");
        if (array.Hash == IndexHash.Masks)
            CheckMasks(array);
        if (array.Hash == IndexHash.Skewed)
            CheckSkewed(array);
        if (array.Replacement == Replacement.Permutation)
            CheckPermutations(array);
    }

    /// <summary>The bits of a page number that an index mask names.</summary>
    /// <exception cref="ArgumentException">It is no hexadecimal number, or not within a page number.</exception>
    public static ulong ParseMask(string name, string mask) => TryParseMask(mask, out ulong value)
        ? value
        : throw new ArgumentException($"{name}: indexMasks may hold numbers such as 0x81 of at most {PageNumberBits} bits, not '{mask}'.");

    /// <summary>The bits of a page number that an index mask names.</summary>
    /// <returns>False where it is no hexadecimal number that begins with <c>0x</c>, is 0, or has bits beyond those of a page number.</returns>
    public static bool TryParseMask(string mask, out ulong value)
    {
        value = 0;
        return mask.StartsWith("0x", StringComparison.Ordinal)
            && ulong.TryParse(mask.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
            && value != 0
            && value >> PageNumberBits == 0;
    }

    /// <summary>Whether a list is one of the numbers 0 to <paramref name="ways"/> - 1, each once.</summary>
    public static bool IsPermutation(IReadOnlyList<int> list, int ways) => list.Count == ways && list.Order().SequenceEqual(Enumerable.Range(0, ways));

    /// <summary>Refuses a level whose arrays cannot be searched together.</summary>
    /// <exception cref="ArgumentException">They differ in the pages of a coalesced entry.</exception>
    public static void Check(TlbLevelConfiguration level)
    {
        TlbArrayConfiguration[] coalescing = [.. level.Arrays.Where(array => array.CoalescedPages is not null)];
        if (coalescing.DistinctBy(array => array.CoalescedPages).Count() > 1)
            throw new ArgumentException($"{coalescing[0].Name}: coalescedPages must be the same in all arrays of a level.");
    }

    /// <summary>Whether that many pages may share an entry: 2, 4, 8 or 16.</summary>
    public static bool IsGroup(int pages) => pages is 2 or 4 or 8 or 16;

    /// <summary>Refuses a structure cache that cannot be built.</summary>
    /// <exception cref="ArgumentException">The geometry is impossible; the message names the cache and the field.</exception>
    public static void Check(string name, StructureCacheConfiguration cache)
    {
        if (cache.Entries == 0)
            return;
        if (cache.Entries < 0 || cache.Ways <= 0 || cache.Entries % cache.Ways != 0)
            throw new ArgumentException($"{name}: entries must be a multiple of ways.");
        if (!SuitsStructureCache(cache.Replacement))
            throw new ArgumentException($"{name}: {cache.Replacement} is for TLB arrays only.");
        if (cache.Hash > IndexHash.Xor || (cache.Hash == IndexHash.Xor && !BitOperations.IsPow2(cache.Entries / cache.Ways)))
            throw new ArgumentException($"{name}: hash must be linear, or xor where sets are a power of two.");
        Check(name, cache.Entries / cache.Ways, cache.Ways, cache.Replacement);
    }

    /// <summary>Whether structure caches know a policy.</summary>
    public static bool SuitsStructureCache(Replacement replacement) => replacement is not (Replacement.Srrip or Replacement.Permutation);

    /// <summary>Whether a policy needs no set: it chooses among any entries.</summary>
    public static bool SuitsSkewed(Replacement replacement) =>
        replacement is Replacement.Lru or Replacement.Fifo or Replacement.Random or Replacement.Nru;

    /// <summary>The page size that a configuration names.</summary>
    /// <exception cref="ArgumentException">It names none.</exception>
    public static PageSize ParseSize(string name, string size) => size switch
    {
        "4k" => PageSize.Size4K,
        "2m" => PageSize.Size2M,
        "1g" => PageSize.Size1G,
        _ => throw new ArgumentException($"{name}: pageSizes may hold 4k, 2m and 1g, not '{size}'."),
    };

    private static void CheckMasks(TlbArrayConfiguration array)
    {
        if (!BitOperations.IsPow2(array.Sets) || array.IndexMasks is not { } masks || 1 << masks.Count != array.Sets)
            throw new ArgumentException($"{array.Name}: the masks hash needs sets to be a power of two, and indexMasks to have one mask for each bit of the index.");
        foreach (string mask in masks)
            ParseMask(array.Name, mask);
    }

    private static void CheckSkewed(TlbArrayConfiguration array)
    {
        if (!BitOperations.IsPow2(array.Sets) || array.Sets < LeastSkewedSets || array.Ways > MaximumSkewedWays)
            throw new ArgumentException($"{array.Name}: a skewed index needs sets to be a power of two of at least {LeastSkewedSets}, ways at most {MaximumSkewedWays}.");
        if (!SuitsSkewed(array.Replacement))
            throw new ArgumentException($"{array.Name}: a skewed array has no sets for {array.Replacement} to work on.");
    }

    private static void CheckPermutations(TlbArrayConfiguration array)
    {
        if (array.Ways > MaximumPermutationWays || array.Permutations is not { } permutations || permutations.Count != array.Ways + 1)
            throw new ArgumentException($"{array.Name}: permutation needs ways at most {MaximumPermutationWays}, and ways + 1 permutations.");
        if (!permutations.All(permutation => IsPermutation(permutation, array.Ways)))
            throw new ArgumentException($"{array.Name}: each of permutations must have the numbers from 0 to ways - 1, each once.");
    }

    private static void Check(string name, int sets, int ways, Replacement replacement)
    {
        if (sets < 0 || ways < 1 || ways > MaximumWays || (long)sets * ways > MaximumEntries)
            throw new ArgumentException($"{name}: sets and ways must be positive, ways at most {MaximumWays}, entries at most {MaximumEntries}.");
        if (replacement == Replacement.TreePlru && (!BitOperations.IsPow2(ways) || ways > MaximumTreeWays))
            throw new ArgumentException($"{name}: tree-PLRU needs ways to be a power of two of at most {MaximumTreeWays}.");
        if (replacement == Replacement.Mru3Plru && (ways % 3 != 0 || !BitOperations.IsPow2(ways / 3) || ways / 3 > MaximumGroupWays))
            throw new ArgumentException($"{name}: three tree-PLRUs need ways to be three times a power of two of at most {MaximumGroupWays}.");
    }
}
