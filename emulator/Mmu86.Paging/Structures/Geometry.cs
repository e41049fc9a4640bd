using System.Numerics;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Which geometries the hardware model can be built with.</summary>
internal static class Geometry
{
    /// <summary>The most ways a set may have.</summary>
    public const int MaximumWays = 4096;

    /// <summary>The most entries one array may have.</summary>
    public const int MaximumEntries = 1 << 24;

    // A tree of n ways has n-1 bits, and a set has one word.
    private const int MaximumTreeWays = 64;
    private const int MaximumGroupWays = 16;

    /// <summary>Refuses a TLB array that cannot be built.</summary>
    /// <exception cref="ArgumentException">The geometry is impossible; the message names the array and the field.</exception>
    public static void Check(TlbArrayConfiguration array)
    {
        if (array.PageSizes.Count == 0)
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
    }

    /// <summary>Refuses a structure cache that cannot be built.</summary>
    /// <exception cref="ArgumentException">The geometry is impossible; the message names the cache and the field.</exception>
    public static void Check(string name, StructureCacheConfiguration cache)
    {
        if (cache.Entries == 0)
            return;
        if (cache.Entries < 0 || cache.Ways <= 0 || cache.Entries % cache.Ways != 0)
            throw new ArgumentException($"{name}: entries must be a multiple of ways.");
        Check(name, cache.Entries / cache.Ways, cache.Ways, cache.Replacement);
    }

    /// <summary>The page size that a configuration names.</summary>
    /// <exception cref="ArgumentException">It names none.</exception>
    public static PageSize ParseSize(string name, string size) => size switch
    {
        "4k" => PageSize.Size4K,
        "2m" => PageSize.Size2M,
        "1g" => PageSize.Size1G,
        _ => throw new ArgumentException($"{name}: pageSizes may hold 4k, 2m and 1g, not '{size}'."),
    };

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
